"""What every first stage's settings say."""

from __future__ import annotations

from typing import ClassVar

from rag.parts import PartSettings, Passages


class RetrieverSettings(PartSettings, frozen=True):
    """own: whether it searches the index of this config, whose passages have evidence."""

    own: ClassVar[bool] = False

    top_n: Passages
