"""Scores that were paid for, kept in SQLite."""

from __future__ import annotations

import logging
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

_log = logging.getLogger(__name__)

FILE = "rerank-cache.sqlite"

_SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA journal_size_limit = 4194304;
CREATE TABLE IF NOT EXISTS score (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS score_by_use ON score (used);
"""

# A cache that has to be waited for is none.
_BUSY_S = 0.05

_USE_IS_NOTED_EVERY_S = 3600

_IDS_A_QUERY = 500

T = TypeVar("T")

Key = bytes

Values = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CacheStatus:
    path: str
    entries: int
    bytes: int


def open_store(folder: Path, most_bytes: int) -> ScoreStore:
    """The cache of an index."""
    return ScoreStore(folder / FILE, most_bytes)


class ScoreStore:
    """Safe for many threads and processes. Whatever goes wrong with it costs a call, never an answer."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, keys: Sequence[Key]) -> dict[Key, Values]:
        return self._with(lambda connection: _found(connection, keys)) or {}

    def put(self, values: Mapping[Key, Values]) -> None:
        now = int(time.time())
        rows = [(key, array("d", value).tobytes(), now) for key, value in values.items()]
        self._with(lambda connection: self._insert(connection, rows))

    def status(self) -> CacheStatus:
        """Reads what is there, and makes nothing."""
        files = self._files()
        entries = self._with(_count) or 0 if files else 0
        return CacheStatus(str(self._path), entries, sum(file.stat().st_size for file in files))

    def clear(self) -> None:
        """Emptied, not deleted: another process may have it open. A damaged one is deleted."""
        if self._files() and self._with(_empty) is None:
            for file in self._files():
                file.unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _files(self) -> list[Path]:
        return list(self._path.parent.glob(f"{self._path.name}*"))

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[tuple[Key, bytes, int]]) -> None:
        connection.executemany("INSERT OR REPLACE INTO score VALUES (?, ?, ?)", rows)
        connection.commit()
        while _used_bytes(connection) > self._most_bytes and (count := _count(connection)):
            # The longest unused quarter goes.
            connection.execute(
                "DELETE FROM score WHERE key IN (SELECT key FROM score ORDER BY used LIMIT ?)",
                (count // 4 + 1,),
            )
            connection.commit()
            connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _with(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._lock:
            try:
                return work(self._open())
            except (sqlite3.Error, OSError) as error:
                _log.warning("the rerank cache %s is passed over: %s", self._path, error)
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
            self._connection = opened
            opened.executescript(_SCHEMA)
        return self._connection


def _found(connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Values]:
    found = dict(_read(connection, keys))
    _note_use(connection, list(found))
    return found


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM score").fetchone()[0])


def _empty(connection: sqlite3.Connection) -> bool:
    connection.execute("DELETE FROM score")
    connection.commit()
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return True


def _read(connection: sqlite3.Connection, keys: Sequence[Key]) -> Iterator[tuple[Key, Values]]:
    for at in range(0, len(keys), _IDS_A_QUERY):
        some = keys[at : at + _IDS_A_QUERY]
        marks = ",".join("?" * len(some))
        for key, value in connection.execute(f"SELECT key, value FROM score WHERE key IN ({marks})", some):
            numbers = array("d")
            numbers.frombytes(value)
            yield key, tuple(numbers)


def _note_use(connection: sqlite3.Connection, keys: Sequence[Key]) -> None:
    """Now and then: a write for every look-up would be dear."""
    now = int(time.time())
    rows = [(now, key, now - _USE_IS_NOTED_EVERY_S) for key in keys]
    connection.executemany("UPDATE score SET used = ? WHERE key = ? AND used < ?", rows)
    connection.commit()


def _used_bytes(connection: sqlite3.Connection) -> int:
    (pages,), (free,), (size,) = (
        connection.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
