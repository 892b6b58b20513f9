"""A store in the memory of this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from rag.filters import Where
from rag.stores.base import StoreSettings
from rag.types import Chunk, Floats, Hit

_KEPT: defaultdict[str, dict[str, Floats]] = defaultdict(dict)


class MemorySettings(StoreSettings, frozen=True):
    kind: Literal["memory"]

    def build(self) -> MemoryStore:
        return MemoryStore()


class MemoryStore:
    def open(self, family: str, generation: int) -> MemoryIndex:
        return MemoryIndex(_KEPT[f"{family}-{generation}"])

    def drop_all_but(self, family: str, generation: int) -> None:
        for name in [name for name in _KEPT if name.startswith(family) and name != f"{family}-{generation}"]:
            del _KEPT[name]


class MemoryIndex:
    def __init__(self, vectors: dict[str, Floats]) -> None:
        self._vectors = vectors

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        self._vectors.update(zip([chunk.id for chunk in chunks], vectors, strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._vectors.pop(id_, None)

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        hits = [Hit(id_, float(vector @ theirs)) for id_, theirs in self._vectors.items()]
        return sorted(hits, key=lambda hit: -hit.score)[:n]

    def count(self) -> int:
        return len(self._vectors)
