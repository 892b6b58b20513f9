"""What every embedder's settings say."""

from __future__ import annotations

from collections.abc import Sequence

from rag.models.local_model import LocalModel
from rag.parts import PartSettings


class EmbedderSettings(PartSettings, frozen=True):
    def token_model(self) -> LocalModel | None:
        """The model of its token vectors; None where it has none."""
        return None

    def longest(self) -> int | None:
        """Tokens of the longest text that it reads; None where only its model knows."""
        return None

    def calls(self, texts: Sequence[str]) -> int:
        """To a service, for the vectors of so many passages."""
        return 0
