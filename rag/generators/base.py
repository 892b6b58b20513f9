"""What every generator's settings say."""

from __future__ import annotations

from typing import ClassVar

from rag.parts import PartSettings


class GeneratorSettings(PartSettings, frozen=True):
    """follows: whether it is a language model, which can be told to write something else than an answer."""

    follows: ClassVar[bool] = False

    def most_tokens(self) -> int:
        """Of an answer that a service writes."""
        return 0
