"""The store of an index in one folder: Chroma keeps it, for all clients of Chroma's; a search looks at all.

Chroma's graph loses passages that came after others went, and finds nine tenths of the nearest where a
question is far from all of them: docs/performance.md. A reader therefore never opens Chroma, which saves
it an import and a lock as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

from rag.filters import Where
from rag.protocols import Passages, VectorIndex, VectorStore
from rag.stores.exact import ExactIndex
from rag.stores.rows import Rows
from rag.types import Chunk, Floats, Hit

_BATCH = 1000


class EmbeddedStore:
    """counted: how many passages Chroma holds of a family's generation, without opening it."""

    def __init__(self, folder: Path, chroma: VectorStore, counted: Callable[[str, int], int]) -> None:
        self._folder = folder
        self._chroma = chroma
        self._counted = counted

    def open(self, family: str, generation: int, passages: Passages | None = None) -> EmbeddedIndex:
        exact = ExactIndex(self._folder / f"{family}-{generation}")
        return EmbeddedIndex(
            exact,
            lambda: self._chroma.open(family, generation),
            lambda: self._counted(family, generation),
            passages,
        )

    def drop_all_but(self, family: str, generation: int) -> None:
        self._chroma.drop_all_but(family, generation)
        for folder in self._folder.glob(f"{family}-*"):
            if folder.name != f"{family}-{generation}":
                shutil.rmtree(folder, ignore_errors=True)

    def check(self, family: str, generation: int) -> None:
        ExactIndex(self._folder / f"{family}-{generation}").check()
        self._chroma.check(family, generation)

    def settle(self) -> None:
        self._chroma.settle()

    def set_aside(self) -> None:
        self._chroma.set_aside()


class EmbeddedIndex:
    """passages: what should stand here, as the catalog says. Where some of it is lacking, a reader has all of
    it in memory; a writer fills up whatever lacks it before it writes."""

    def __init__(
        self,
        exact: ExactIndex,
        open_chroma: Callable[[], VectorIndex],
        in_chroma: Callable[[], int],
        passages: Passages | None,
    ) -> None:
        self._exact = exact
        self._open_chroma = open_chroma
        self._in_chroma = in_chroma
        self._passages = passages
        self._lacks = _lacks(exact, passages)
        self._reading = Lock()
        self._lent: Rows | None = None

    def search(self, vector: Floats, n: int, where: Where | None = None) -> Sequence[Hit]:
        return self._whole().search(vector, n, where)

    def count(self) -> int:
        return self._whole().count()

    def held(self) -> dict[str, int]:
        """Of Chroma and of the rows, before anything is mended."""
        return {"Chroma": self._in_chroma()} | self._exact.held()

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        for part in self.parts:
            part.add(chunks, vectors)

    def delete(self, ids: Sequence[str]) -> None:
        for part in self.parts:
            part.delete(ids)

    @cached_property
    def parts(self) -> tuple[VectorIndex, VectorIndex]:
        """Chroma and the rows, whole."""
        parts = self._open_chroma(), self._exact
        for part in parts:
            for chunks, vectors in _batches(self._passages) if _lacks(part, self._passages) else ():
                part.add(chunks, vectors)
        self._lacks, self._lent = False, None
        return parts

    def _whole(self) -> ExactIndex | Rows:
        if not self._lacks:
            return self._exact
        with self._reading:
            self._lent = self._lent or Rows.of(_batches(self._passages))
            return self._lent


def _lacks(part: VectorIndex, passages: Passages | None) -> bool:
    return passages is not None and part.count() < passages.counts()[1]


def _batches(passages: Passages | None) -> Iterator[tuple[Sequence[Chunk], Sequence[Floats]]]:
    if passages is None:
        return
    for chunks in passages.all_chunks(_BATCH):
        vectors = passages.vectors([chunk.id for chunk in chunks])
        yield chunks, [vectors[chunk.id] for chunk in chunks]
