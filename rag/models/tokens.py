"""Texts as token ids, and batches of them padded to the same length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


# Runtimes prepare anew for each shape of a batch: few shapes are worth a little padding.
_STEP = 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text, or a pair of them: `types` tells which token is of the second."""

    ids: Sequence[int]
    types: Sequence[int]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Batch:
    ids: Ints
    mask: Ints
    types: Ints

    @classmethod
    def of(cls, rows: Sequence[Tokens]) -> Batch:
        ids = np.zeros((len(rows), padded(max(map(len, rows)))), np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens.ids
            types[row, : len(tokens)] = tokens.types
            mask[row, : len(tokens)] = 1
        return cls(ids, mask, types)


def padded(length: int) -> int:
    """The width of a batch whose longest text is this long."""
    return max(-(-length // _STEP), 1) * _STEP
