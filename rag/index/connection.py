"""Connections to the catalog's file: one a thread; whoever reads is never blocked by the writer (WAL)."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import local
from types import TracebackType
from typing import Any, cast
from urllib.parse import quote

from rag.errors import StoreError

# Who reads waits for nobody longer than that; a writer, who is alone, only for a reader that wants to be.
_READER_SECONDS = 1
_WRITER_SECONDS = 30


class Connections:
    """Of a folder that cannot be written to, the file is read as it lies there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = local()
        self._file: tuple[int, ...] | None = None

    @property
    def db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            with translated(self.path):
                self._local.db = self._opened()
        return cast(sqlite3.Connection, self._local.db)

    def _opened(self) -> _Connection:
        # Autocommit: a transaction is opened where one is meant, by `writing`.
        opened = sqlite3.connect(
            f"file:{quote(str(self.path))}?{self._mode()}",
            uri=True,
            timeout=_READER_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        opened.path = self.path
        return opened

    def _mode(self) -> str:
        if self.writable:
            return "mode=rwc" if self._file is None else "mode=rw"  # once there, it is never made anew
        # SQLite reads a log only where it may make or find the index to it.
        return "mode=ro" if _beside(self.path, "-shm").exists() else "mode=ro&immutable=1"

    @property
    def writable(self) -> bool:
        """Asked of the system, which knows of modes, owners and mounts."""
        there = self.path if self.path.exists() else self.path.parent
        return os.access(self.path.parent, os.W_OK) and os.access(there, os.W_OK)

    def close(self) -> None:
        """Closes this thread's connection, and lets go of those of others. A later reading opens another."""
        if hasattr(self._local, "db"):
            self._local.db.close()
        self._local = local()

    def keep_a_log(self) -> None:
        """SQLite does not wait for others that switch a new file at the same moment."""
        until = time.monotonic() + _READER_SECONDS
        while True:
            try:
                self.db.execute("PRAGMA journal_mode = WAL")
                return
            except StoreError as error:
                if _code_of(error.__cause__) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def notice_another_file(self) -> None:
        """A catalog that was restored, or taken away, under a reader that goes on asking."""
        now = _file_of(self.path, self.writable)
        if self._file not in (None, now):
            self.close()
        self._file = now

    @contextmanager
    def snapshot(self, still: bool = False) -> Iterator[None]:
        """All that this thread reads meanwhile is of one moment; if `still`, nobody writes meanwhile."""
        db = self.db
        db.execute("BEGIN IMMEDIATE" if still and self.writable else "BEGIN")
        try:
            yield
        finally:
            db.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        db = self.db
        db.execute(f"PRAGMA busy_timeout = {_WRITER_SECONDS * 1000}")
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        finally:
            db.execute(f"PRAGMA busy_timeout = {_READER_SECONDS * 1000}")

    def copy_to(self, path: Path) -> None:
        """A whole copy, while others may write."""
        with closing(sqlite3.connect(path)) as copy:
            self.db.backup(copy)


class _Connection(sqlite3.Connection):
    """Tells of a full disk or a damaged file as of other trouble with the index. Closed with its thread."""

    path = Path()

    def __del__(self) -> None:
        self.close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with translated(self.path):
            return _Cursor(self).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        with translated(self.path):
            return super().executemany(sql, parameters)


class _Cursor(sqlite3.Cursor):
    """What is damaged may be met at any row."""

    def __next__(self) -> Any:
        with translated(cast(_Connection, self.connection).path):
            return super().__next__()

    def fetchone(self) -> Any:
        with translated(cast(_Connection, self.connection).path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with translated(cast(_Connection, self.connection).path):
            return super().fetchall()


class translated:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mistake_of_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        if isinstance(error, sqlite3.DatabaseError) and not mistake_of_ours:
            raise StoreError(f"the catalog {self._path} {_said_of(error, self._path)}") from error


def _said_of(error: sqlite3.DatabaseError, path: Path) -> str:
    code = _code_of(error)
    if code in _SAID:
        return _SAID[code]
    if code in _DAMAGE or "no such" in str(error) or "decode" in str(error):
        return (
            f"is damaged ({error}): `rag restore FILE --replace` puts a backup in its place; without one, "
            f"move {path.parent} away, and `rag ingest` makes it anew"
        )
    return f"cannot be used: {error}"


def _code_of(error: BaseException | None) -> int:
    """Without its refinements."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SAID = {
    sqlite3.SQLITE_FULL: "cannot be written, the disk is full: make room, and do it again",
    sqlite3.SQLITE_READONLY: "can only be read: whoever ingests needs the right to write to its folder",
    sqlite3.SQLITE_BUSY: "is held by another process: wait for it, or end it where it is suspended",
}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _file_of(path: Path, writable: bool) -> tuple[int, ...]:
    """Which file a path leads to; of one that is read as it lies there, in which state."""
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(
            f"the catalog {path} is gone: `rag restore` brings back a backup, `rag ingest` makes it anew"
        ) from error
    if not found.st_size:
        raise StoreError(
            f"the catalog {path} is empty: `rag restore FILE` brings back a backup; without one, remove it, "
            "and `rag ingest` makes it anew"
        )
    return (found.st_dev, found.st_ino, *(() if writable else (found.st_size, found.st_mtime_ns)))
