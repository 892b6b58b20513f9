"""The index as one thing: the catalog, which is the truth, and the two indexes derived from it.

Chroma and the lexical index come in generations. A rebuild fills the next generation while questions
are answered from the current one; changing the number in the catalog is the moment of the switch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

from filelock import FileLock, Timeout

from rag.errors import LockedError, RagError, StoreError
from rag.index.catalog import CATALOG, Catalog
from rag.index.fingerprint import settings_of
from rag.index.lexical import LexicalIndex, LexicalStore
from rag.protocols import VectorIndex, VectorStore
from rag.types import Chunk, Floats

_LOCK_SECONDS = 1.5
_BATCH = 1000
# A reading that meets a change is done again. After so many, the writer waits for it.
_READINGS = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Generation:
    number: int
    vectors: VectorIndex
    lexical: LexicalIndex


class Index:
    def __init__(self, folder: Path, store: VectorStore) -> None:
        self.folder = folder.absolute()
        self.catalog = Catalog(folder / CATALOG)
        self._store = store
        self._lexical = LexicalStore(folder / "lexical")
        self._opened: Generation | None = None
        self._opened_at = ""
        self._opening = Lock()
        self._expected: str | None = None

    # --- reading --------------------------------------------------------------------------

    def current(self) -> Generation:
        """The generation that questions are answered from now, with what others have written to it."""
        with self._opening:
            version, number = self.catalog.version(), self.catalog.generation()
            if self._opened is None or self._opened.number != number or self._is_behind(version):
                if self._expected is not None:
                    self.check_fingerprint(self._expected)  # another process may have rebuilt it otherwise
                self._opened, self._opened_at = self._open(number), version
            return self._opened

    def read(self, reading: Callable[[Generation], T]) -> T:
        """Runs a reading; again where the index changed meanwhile, since what it found may be gone."""
        for _ in range(_READINGS):
            version, generation = self.catalog.version(), self.current()
            try:
                with self.catalog.snapshot(), self._told_of_damage():
                    found = reading(generation)
                if self.catalog.version() == version:
                    return found
            except StoreError:
                if self.catalog.version() == version:
                    if self.catalog.made(version):
                        raise
                    # Another process is writing: Chroma fails where its files are ahead of its memory.
                    self._close(generation)
        with self.catalog.snapshot(still=True):
            if not self.catalog.made(self.catalog.version()):
                self._close(self._opened)
            return reading(self.current())

    def expect(self, fingerprint: str) -> None:
        """Refuses an index that other settings made: now, and whenever another process has changed it."""
        self.check_fingerprint(fingerprint)
        self._expected = fingerprint

    def check_fingerprint(self, fingerprint: str) -> None:
        """Refuses to mix vectors or passages that were made by other settings."""
        made_by = self.catalog.meta("fingerprint")
        if made_by is not None and settings_of(made_by) != settings_of(fingerprint):
            raise StoreError(
                f"the index in {self.folder} was built with other settings.\n  index:    {made_by}\n"
                f"  settings: {fingerprint}\nRun `rag rebuild --embed` to cut and encode its documents anew, "
                "name another store.path, or put the settings back"
            )

    def notice(self, fingerprint: str) -> str:
        """What there is to say of an index that an earlier version has made."""
        made_by = self.catalog.meta("fingerprint")
        if made_by is None or made_by == fingerprint:
            return ""
        return (
            "the index was made by an earlier version and answers with its passages: `rag rebuild --embed` "
            "or a new ingest brings those of this one"
        )

    @contextmanager
    def _told_of_damage(self) -> Iterator[None]:
        """What nobody expects may come of a damaged catalog; then that is what there is to say."""
        try:
            yield
        except RagError:
            raise
        except Exception as error:
            self.catalog.check()
            raise error from None

    def check_files(self) -> None:
        """Refuses derived files that are not as they were written."""
        number = self.catalog.generation()
        self._store.check(self._family, number)
        self._lexical.check(self._family, number)

    def check_whole(self) -> None:
        """Refuses to answer where Chroma or the lexical index was lost, or lags behind the catalog."""
        self.read(self._check_whole)

    def _check_whole(self, generation: Generation) -> None:
        _, chunks = self.catalog.counts()
        held_by = {"the store": generation.vectors.count(), "the lexical index": generation.lexical.count()}
        for name, held in held_by.items():
            if held < chunks:
                raise StoreError(
                    f"the catalog in {self.folder} holds {chunks} passages but {name} only {held}: "
                    "run `rag rebuild` to fill it again (nothing is embedded anew)"
                )

    def close(self) -> None:
        """Lets go of Chroma, the lexical index and the catalog's connections."""
        self._close(self._opened)
        self.catalog.close()

    # --- writing --------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Generation]:
        """The one writer: holds the lock, and first repairs what a killed one left behind."""
        with self._alone():
            generation = self._repaired()
            yield generation
            if generation.lexical.settle():
                self.catalog.announce()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with write_alone(self.folder):
            if not self.catalog.made(self.catalog.version()):
                self._close(self._opened)  # another has written, and may have died before it could tell
            self.catalog.announce()
            with self._told_of_damage():
                yield
            self._store.settle()
            self._lexical.seal(self._family, self.catalog.generation())

    def put(self, generation: Generation, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        """Into both derived indexes; the catalog's row is what makes a chunk visible."""
        if chunks:
            generation.vectors.add(chunks, vectors)
            generation.lexical.add(chunks)

    def remove(self, generation: Generation, ids: Sequence[str]) -> None:
        if ids:
            generation.vectors.delete(ids)
            generation.lexical.delete(ids)

    @contextmanager
    def rebuilding(self) -> Iterator[Generation]:
        """The next generation, empty, to be filled beside the present one, which need not be readable.

        Questions are answered from the present one until the catalog switches to the number of the next.
        """
        with self._alone():
            number = self.catalog.generation()
            try:
                self._drop_all_but(number)
            except StoreError:  # what is there cannot be opened, and need not be
                self._store.set_aside()
                self._drop_all_but(number)
            yield self._open(number + 1, empty=True)
            self._drop_all_but(self.catalog.generation())

    @property
    def _family(self) -> str:
        """Names this index's collections: a Chroma server may hold those of others."""
        return self.catalog.identity()

    def _open(self, number: int, empty: bool = False) -> Generation:
        """empty: it is about to be filled."""
        held = None if empty else self.catalog
        vectors = self._store.open(self._family, number, held)
        return Generation(number, vectors, self._lexical.open(self._family, number, held))

    def _close(self, generation: Generation | None) -> None:
        with self._opening:
            if self._opened is generation:
                self._opened = None

    def _is_behind(self, version: str) -> bool:
        """What this object wrote itself, its open indexes have in them."""
        return version != self._opened_at and not self.catalog.made(version)

    def _drop_all_but(self, number: int) -> None:
        self._store.drop_all_but(self._family, number)
        self._lexical.drop_all_but(self._family, number)

    def _repaired(self) -> Generation:
        generation = self.current()
        self._drop_all_but(generation.number)
        dirty = self.catalog.dirty()
        for at in range(0, len(dirty), _BATCH):
            self._settle(generation, dirty[at : at + _BATCH])
        self.catalog.clear_dirty()
        generation.vectors.add((), ())  # it fills itself up where it lacks any
        return generation

    def _settle(self, generation: Generation, ids: Sequence[str]) -> None:
        """Makes both derived indexes agree with the catalog about these ids."""
        standing = list(self.catalog.chunks(ids).values())
        vectors = self.catalog.vectors([chunk.id for chunk in standing])
        there = {chunk.id for chunk in standing}
        self.remove(generation, [id_ for id_ in ids if id_ not in there])
        self.put(generation, standing, [vectors[chunk.id] for chunk in standing])


@contextmanager
def write_alone(folder: Path) -> Iterator[None]:
    """The one who writes to an index."""
    lock = FileLock(folder / "write.lock")
    owner = folder / "write.pid"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_SECONDS)
        owner.write_text(str(os.getpid()))
    except Timeout:
        raise LockedError(
            f"another process (pid {_read(owner)}) is writing to the index in {folder}: "
            "wait until it has finished, or stop it; reading is possible meanwhile"
        ) from None
    except OSError as error:
        lock.release()
        raise StoreError(
            f"the index in {folder} cannot be written ({error.strerror or error}); it can still be asked"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # a disk that went away takes it along
            owner.unlink(missing_ok=True)
        lock.release()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return "unknown"
