"""Connections to the catalog's file: one a thread; whoever reads is never blocked by the writer (WAL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from threading import local
from typing import Any, cast

from rag.errors import StoreError

_SWITCH_ATTEMPTS = 50


class Connections:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = local()
        self._file: tuple[int, int] | None = None

    @property
    def db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            # Autocommit: a transaction is opened where one is meant, by `writing`.
            self._local.db = sqlite3.connect(
                self._path, timeout=30, isolation_level=None, check_same_thread=False, factory=_Connection
            )
        return cast(sqlite3.Connection, self._local.db)

    def close(self) -> None:
        """Closes the connection of every thread. A later reading opens another."""
        self._local = local()

    def keep_a_log(self) -> None:
        """SQLite does not wait for others that switch a new file at the same moment."""
        for attempt in count(1):
            try:
                self.db.execute("PRAGMA journal_mode = WAL")
                return
            except StoreError:
                if attempt == _SWITCH_ATTEMPTS:
                    raise
                time.sleep(0.02)

    def notice_another_file(self) -> None:
        """A catalog that was restored, or taken away, under a reader that goes on asking."""
        now = _file_of(self._path)
        if self._file not in (None, now):
            self.close()
        self._file = now

    @contextmanager
    def snapshot(self, still: bool = False) -> Iterator[None]:
        """All that this thread reads meanwhile is of one moment; if `still`, nobody writes meanwhile."""
        db = self.db
        db.execute("BEGIN IMMEDIATE" if still else "BEGIN")
        try:
            yield
        finally:
            db.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def copy_to(self, path: Path) -> None:
        """A whole copy, while others may write."""
        with closing(sqlite3.connect(path)) as copy:
            self.db.backup(copy)


class _Connection(sqlite3.Connection):
    """Tells of a full disk or a damaged file as of other trouble with the index. Closed with its thread."""

    def __del__(self) -> None:
        self.close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with _translated():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        with _translated():
            return super().executemany(sql, parameters)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # a mistake of ours
        raise StoreError(f"the catalog cannot be used: {error}") from error


def _file_of(path: Path) -> tuple[int, int]:
    """Which file a path leads to."""
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(
            f"the catalog {path} is gone: `rag restore` brings back a backup, `rag ingest` makes it anew"
        ) from error
    return found.st_dev, found.st_ino
