"""The index as one thing: the catalog, which is the truth, and the two indexes derived from it.

Chroma and the lexical index come in generations. A rebuild fills the next generation while readers
stay on the current one; changing the number in the catalog is the moment of the switch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

from filelock import FileLock, Timeout

from rag.catalog import Catalog
from rag.errors import LockedError, StoreError
from rag.lexical import LexicalIndex, LexicalStore
from rag.protocols import VectorIndex, VectorStore
from rag.types import Chunk, Floats

_LOCK_SECONDS = 1.5
_BATCH = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Generation:
    number: int
    vectors: VectorIndex
    lexical: LexicalIndex


class Index:
    def __init__(self, folder: Path, store: VectorStore) -> None:
        self.folder = folder
        self.catalog = Catalog(folder / "catalog.sqlite")
        self._store = store
        self._lexical = LexicalStore(folder / "lexical")
        self._opened: Generation | None = None
        self._opening = Lock()
        # Names this index's collections: a Chroma server may hold those of others.
        self._family = self.catalog.identity()

    # --- reading --------------------------------------------------------------------------

    def current(self) -> Generation:
        """The generation that readers use now: asked anew each time, so a rebuild is seen."""
        number = int(self.catalog.meta("generation") or 1)
        with self._opening:
            if self._opened is None or self._opened.number != number:
                self._opened = self._open(number)
            return self._opened

    def read(self, reading: Callable[[Generation], T]) -> T:
        """Runs a reading; once more where a rebuild dropped the generation under it."""
        generation = self.current()
        try:
            return reading(generation)
        except (StoreError, ValueError):
            if int(self.catalog.meta("generation") or 1) == generation.number:
                raise
            return reading(self.current())

    def check_fingerprint(self, fingerprint: str) -> None:
        """Refuses to mix vectors or passages that were made otherwise."""
        made_by = self.catalog.meta("fingerprint")
        if made_by is not None and made_by != fingerprint:
            raise StoreError(
                f"the index in {self.folder} was built with other settings.\n  index:    {made_by}\n"
                f"  settings: {fingerprint}\nRun `rag rebuild --embed` to cut and encode its documents anew, "
                "name another store.path, or put the settings back"
            )

    def check_whole(self) -> None:
        """Refuses to answer from a Chroma folder that was lost or belongs to another catalog."""
        documents, chunks = self.catalog.counts()
        if chunks and self.current().vectors.count() == 0:
            raise StoreError(
                f"the catalog in {self.folder} holds {documents} documents but Chroma is empty: "
                "run `rag rebuild` to fill it again (nothing is embedded anew)"
            )

    # --- writing --------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Generation]:
        """The one writer: holds the lock, and first repairs what a killed one left behind."""
        lock = FileLock(self.folder / "write.lock")
        owner = self.folder / "write.pid"
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise LockedError(
                f"another process (pid {_read(owner)}) is writing to the index in {self.folder}: "
                "wait until it has finished, or stop it; reading is possible meanwhile"
            ) from None
        try:
            owner.write_text(str(os.getpid()))
            yield self._repaired()
        finally:
            owner.unlink(missing_ok=True)
            lock.release()

    def put(self, generation: Generation, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        """Into both derived indexes; the catalog's row is what makes a chunk visible."""
        if chunks:
            generation.vectors.add(chunks, vectors)
            generation.lexical.add(chunks)

    def remove(self, generation: Generation, ids: Sequence[str]) -> None:
        if ids:
            generation.vectors.delete(ids)
            generation.lexical.delete(ids)

    def replace(
        self,
        generation: Generation,
        batches: Iterable[tuple[Sequence[Chunk], Sequence[Floats]]],
        commit: Callable[[int], None],
    ) -> None:
        """Fills the next generation beside this one; `commit` switches readers over to its number."""
        fresh = self._open(generation.number + 1)
        for chunks, vectors in batches:
            self.put(fresh, chunks, vectors)
        commit(fresh.number)
        self._drop_all_but(fresh.number)

    def _open(self, number: int) -> Generation:
        return Generation(number, self._store.open(self._family, number), self._lexical.open(number))

    def _drop_all_but(self, number: int) -> None:
        self._store.drop_all_but(self._family, number)
        self._lexical.drop_all_but(number)

    def _repaired(self) -> Generation:
        generation = self.current()
        self._drop_all_but(generation.number)
        dirty = self.catalog.dirty()
        for at in range(0, len(dirty), _BATCH):
            self._settle(generation, dirty[at : at + _BATCH])
        self.catalog.clear_dirty()
        return generation

    def _settle(self, generation: Generation, ids: Sequence[str]) -> None:
        """Makes both derived indexes agree with the catalog about these ids."""
        standing = list(self.catalog.chunks(ids).values())
        vectors = self.catalog.vectors([chunk.id for chunk in standing])
        there = {chunk.id for chunk in standing}
        self.remove(generation, [id_ for id_ in ids if id_ not in there])
        self.put(generation, standing, [vectors[chunk.id] for chunk in standing])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return "unknown"
