"""A store in the memory of this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from rag.filters import Where, filed, tag, tags
from rag.protocols import Passages
from rag.stores.base import StoreSettings
from rag.types import Chunk, Floats, Hit

_Kept = dict[str, tuple[Floats, list[str]]]
_KEPT: defaultdict[str, _Kept] = defaultdict(dict)


class MemorySettings(StoreSettings, frozen=True):
    kind: Literal["memory"]

    def build(self) -> MemoryStore:
        return MemoryStore(str(self.path))


class MemoryStore:
    def __init__(self, name: str) -> None:
        self._name = name

    def open(self, family: str, generation: int, passages: Passages | None = None) -> MemoryIndex:
        return MemoryIndex(_KEPT[f"{self._name}-{family}-{generation}"])

    def drop_all_but(self, family: str, generation: int) -> None:
        ours = f"{self._name}-{family}-"
        for name in [name for name in _KEPT if name.startswith(ours) and name != f"{ours}{generation}"]:
            del _KEPT[name]

    def check(self, family: str, generation: int) -> None:
        """There are no files."""

    def settle(self) -> None:
        """Nor does anything last."""

    def set_aside(self) -> None:
        _KEPT.clear()


class MemoryIndex:
    def __init__(self, kept: _Kept) -> None:
        self._kept = kept

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        for chunk, vector in zip(chunks, vectors, strict=True):
            self._kept[chunk.id] = vector, tags(filed(chunk))

    def delete(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._kept.pop(id_, None)

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        wanted = [{tag(key, value) for value in values} for key, values in where.clauses] if where else []
        hits = [
            Hit(id_, float(vector @ theirs))
            for id_, (theirs, filed_under) in self._kept.items()
            if all(either & {*filed_under} for either in wanted)
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:n]

    def count(self) -> int:
        return len(self._kept)

    def held(self) -> dict[str, int]:
        return {"memory": self.count()}
