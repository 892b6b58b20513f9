"""Chroma's files in a folder of this machine, opened by the one who writes to the index and nobody else.

Chroma does not protect them from other processes, and what it meets in a damaged one may end this process. So
they are sealed when the writer is done; where a seal is broken, or a killed writer left none, another process
opens them first.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rag.errors import StoreError
from rag.files.seal import changed, read_seal, seal

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client

_PROBE_SECONDS = 120
_openings = count(1)
# Chroma's threads stay behind in a fork, and whoever waits for them waits for ever.
_used_by: set[int] = set()


class Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seal = folder.with_name(f"{folder.name}.seal")
        self._aside = folder.with_name(f"{folder.name}.damaged")
        self._open = False

    def connect(self) -> ClientAPI:
        import chromadb  # 0.5 s that a question need not pay

        if not self._open:
            self._make_sure()
        self._open = True
        # What a process has once seen of a folder stands for all its clients that spell the path
        # alike. A spelling of its own gives each of ours the folder as it is now.
        spelling = "".join("/." if bit == "1" else "/" for bit in f"{next(_openings):b}")
        return chromadb.PersistentClient(f"{self._folder}{spelling}", settings=quiet())

    def close(self, client: ClientAPI) -> None:
        cast("Client", client).close()

    @contextmanager
    def told(self, doing: str) -> Iterator[None]:
        from chromadb.errors import ChromaError

        try:
            yield
        except (ChromaError, ValueError, OSError) as error:
            raise StoreError(f"Chroma could not {doing}: {error}. {_REMEDY}") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # Rust's, and no Exception of Python's
                raise
            raise StoreError(f"Chroma could not {doing}, its files are damaged. {_REMEDY}") from error

    def settle(self) -> None:
        """The writer is done with it."""
        if self._open:
            self.sweep()
            seal(self._seal, self._folder, _lasting)
            self._open = False

    def set_aside(self) -> None:
        """What cannot be opened goes, so that all can be made anew."""
        self._seal.unlink(missing_ok=True)
        shutil.rmtree(self._aside, ignore_errors=True)
        with suppress(FileNotFoundError):
            os.replace(self._folder, self._aside)
        shutil.rmtree(self._aside, ignore_errors=True)

    def count(self, collection: str) -> int:
        """As its tables say: a reader never opens Chroma."""
        database = self._folder / "chroma.sqlite3"
        if not database.exists():
            return 0
        try:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
                (held,) = db.execute(_COUNT, (collection,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{database} is damaged ({error}). {_REMEDY}") from error
        return int(held)

    def sweep(self) -> None:
        """The folders of graphs that no collection owns: a killed rebuild left them."""
        database = self._folder / "chroma.sqlite3"
        if not database.exists():
            return
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            owned = {row[0] for row in db.execute("SELECT id FROM segments")}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in owned:
                shutil.rmtree(folder, ignore_errors=True)

    def check(self) -> None:
        """Are the files as they were left? A writer that was killed, or is at work, has left no seal."""
        sealed = read_seal(self._seal)
        if broken := changed(sealed, self._folder, gone=True) if sealed else []:
            raise StoreError(f"{self._folder / broken[0]} is not as it was written. {_REMEDY}")

    def _make_sure(self) -> None:
        if _used_by - {os.getpid()}:
            raise StoreError(
                "Chroma cannot be opened in a fork of a process that has used it: write to the index in the "
                "parent, or in a process that was started by itself (multiprocessing: spawn)"
            )
        _used_by.add(os.getpid())
        sealed = read_seal(self._seal)
        if (sealed is None or changed(sealed, self._folder, gone=True)) and any(self._files()):
            self._probe()
        self._seal.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        return self._folder.glob("*") if self._folder.exists() else iter(())

    def _probe(self) -> None:
        """Another process opens them: if that one ends, this one goes on."""
        program = [sys.executable, "-c", _PROBE, str(self._folder)]
        try:
            done = subprocess.run(program, capture_output=True, timeout=_PROBE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise StoreError(f"Chroma does not come to an end with {self._folder}. {_REMEDY}") from None
        if done.returncode:
            raise StoreError(f"Chroma's files in {self._folder} are damaged. {_REMEDY}")


_COUNT = (
    "SELECT COUNT(*) FROM embeddings e JOIN segments s ON s.id = e.segment_id "
    "JOIN collections c ON c.id = s.collection WHERE c.name = ?"
)
_REMEDY = "`rag rebuild` makes them anew (nothing is embedded)"
# Every collection is counted, read, searched and so its graph loaded.
_PROBE = """
import sys
import chromadb
from chromadb.config import Settings
client = chromadb.PersistentClient(sys.argv[1], settings=Settings(anonymized_telemetry=False))
for collection in client.list_collections():
    if collection.count():
        vector = collection.get(limit=1, include=["embeddings", "metadatas"])["embeddings"]
        collection.query(query_embeddings=vector, n_results=min(collection.count(), 100))
"""


def _lasting(name: str) -> bool:
    """SQLite's log comes and goes."""
    return not name.endswith(("-journal", "-wal", "-shm"))


def quiet() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)
