"""Vectors in rows, all of which a search looks at: what is there is found, whatever came and went before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import StoreError
from rag.filters import Where, filed, tag, tags
from rag.types import Chunk, Floats, Hit

# With its key a row's name fills a line of the processor's cache, and a row of 384 dimensions 25 of them.
_ID_BYTES = 56
# A `key=value` of a passage, by hash, and the passage's row. Rows only grow along a file.
TAG = np.dtype([("tag", "<u8"), ("row", "<u8")])
# Of rows that a filter keeps, so many are copied together at a time.
_TOGETHER = 4096
# Where it keeps more than one in so many, looking at all in passing is quicker.
_FEW = 8

Numbers = NDArray[np.int64]
Records = NDArray[Any]
Flags = NDArray[np.bool_]


def row_type(dimension: int) -> np.dtype[Any]:
    return np.dtype([("key", "<u8"), ("id", f"S{_ID_BYTES}"), ("vector", "<f4", (dimension,))])


@dataclass(frozen=True, slots=True)
class Rows:
    """Records as they lie in the files, and the numbers of those that count no more. Never changes."""

    records: Records
    tags: Records
    dead: Numbers

    @classmethod
    def of(cls, batches: Iterable[tuple[Sequence[Chunk], Sequence[Floats]]]) -> Rows:
        """In the memory of this process alone."""
        made: list[tuple[Records, Records]] = []
        size = 0
        for chunks, vectors in batches:
            made.append(records_of(chunks, vectors, size))
            size += len(chunks)
        if not made:
            return NONE
        return cls(np.concatenate([r for r, _ in made]), np.concatenate([t for _, t in made]), NONE.dead)

    @property
    def dimension(self) -> int:
        return int(self.records["vector"].shape[1])

    def count(self) -> int:
        return len(self.records) - len(self.dead)

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        """The rows of those ids that are here."""
        if not len(self.records) or not ids:
            return {}
        found = self._alive(np.flatnonzero(_among(self.records["key"], np.array([_hash(i) for i in ids]))))
        named = {self.records["id"][number].decode(): int(number) for number in found}
        return {id_: named[id_] for id_ in ids if id_ in named}

    def filed_under(self, number: int) -> frozenset[int]:
        """What a row is filed under, by hash."""
        first, last = np.searchsorted(self.tags["row"], [number, number + 1])
        return frozenset(self.tags["tag"][first:last].tolist())

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        """The nearest n by cosine, nearest first; of equally near ones those whose ids come first."""
        if n < 1 or not self.count():
            return []
        asked = unit(vector[np.newaxis])[0]
        if len(asked) != self.dimension:
            raise StoreError(
                f"a vector of dimension {len(asked)} was asked for among those of dimension {self.dimension}"
            )
        numbers = None if where is None else self._matching(where)
        return self._best(numbers, self._cosines(asked, numbers), n)

    def _cosines(self, asked: Floats, numbers: Numbers | None) -> Floats:
        """Of these rows, or of all. On one core: several questions at a time have one each."""
        vectors: Floats = self.records["vector"]
        cosines: Floats
        if numbers is None:
            cosines = np.vecdot(vectors, asked)
            cosines[self.dead] = -np.inf
        elif len(numbers) * _FEW > len(vectors):
            cosines = np.vecdot(vectors, asked)[numbers]
        else:
            parts = [numbers[at : at + _TOGETHER] for at in range(0, len(numbers), _TOGETHER)]
            cosines = np.concatenate([np.vecdot(vectors[part], asked) for part in parts] or [_NO_COSINES])
        # A vector that is damaged must not stand before all others, nor hide them.
        cosines[~(cosines < 1.01)] = -np.inf
        return cosines

    def _best(self, numbers: Numbers | None, cosines: Floats, n: int) -> list[Hit]:
        if n < len(cosines):
            least = max(np.partition(cosines, -n)[-n], np.finfo(np.float32).min)
        else:
            least = np.finfo(np.float32).min
        found = np.flatnonzero(cosines >= least)
        ids = self.records["id"][found if numbers is None else numbers[found]]
        order = np.lexsort((ids, -cosines[found]))[:n]
        return [Hit(ids[at].decode(), float(cosines[found[at]])) for at in order]

    def _matching(self, where: Where) -> Numbers:
        """The rows that every clause of the filter keeps."""
        kept: Numbers | None = None
        for key, values in where.clauses:
            wanted = np.array([_hash(tag(key, value)) for value in values], np.uint64)
            either = np.unique(self.tags["row"][_among(self.tags["tag"], wanted)]).astype(np.int64)
            kept = either if kept is None else np.intersect1d(kept, either, assume_unique=True)
        return self._alive(_NO_ROWS if kept is None else kept)

    def _alive(self, numbers: Numbers) -> Numbers:
        return numbers[~np.isin(numbers, self.dead)] if len(self.dead) else numbers


def records_of(chunks: Sequence[Chunk], vectors: Sequence[Floats], start: int) -> tuple[Records, Records]:
    """Rows from number `start` on, and their tags."""
    if not chunks:
        return NONE.records, NONE.tags
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        raise StoreError(f"vectors of more than one dimension: {sorted(sizes)}")
    rows = np.empty(len(chunks), row_type(sizes.pop()))
    rows["key"] = [_hash(chunk.id) for chunk in chunks]
    rows["id"] = [_encoded(chunk.id) for chunk in chunks]
    rows["vector"] = unit(np.stack(list(vectors)))
    return rows, np.array([*_tag_rows(chunks, start)], TAG)


def _tag_rows(chunks: Sequence[Chunk], start: int) -> Iterator[tuple[int, int]]:
    for number, chunk in enumerate(chunks, start=start):
        for hashed in sorted(hashed_tags(chunk)):
            yield hashed, number


def hashed_tags(chunk: Chunk) -> frozenset[int]:
    return frozenset(_hash(name) for name in tags(filed(chunk)))


def unit(vectors: Floats) -> Floats:
    """Of length 1; a vector of nothing stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


@lru_cache(maxsize=100_000)
def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _encoded(id_: str) -> bytes:
    encoded = id_.encode()
    if len(encoded) > _ID_BYTES:
        raise StoreError(f"the id {id_!r} has {len(encoded)} bytes: a store keeps at most {_ID_BYTES}")
    return encoded


def _among(values: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Flags:
    """Which of the values are wanted. np.isin would sort all of them."""
    if len(wanted) == 1:
        return np.asarray(values == wanted[0])
    ordered = np.unique(wanted)
    at = np.searchsorted(ordered, values)
    at[at == len(ordered)] = 0
    return np.asarray(ordered[at] == values)


_NO_ROWS = np.empty(0, np.int64)
_NO_COSINES = np.empty(0, np.float32)
NONE = Rows(np.empty(0, row_type(0)), np.empty(0, TAG), _NO_ROWS)
