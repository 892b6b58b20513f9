"""Scores that were paid for once, on disk. It holds hashes and numbers: no question, no text, no key."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

from rag.guards.layers import Layer, layered
from rag.protocols import Reranker
from rag.types import Candidate, Chunk, Question, RerankerCard, Scores

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


class Cached:
    """Asks only for what it does not know. A listwise list is known as a whole or not at all.

    What is late, degraded or otherwise not quite the reranker's own is never kept.
    """

    def __init__(
        self,
        inner: Reranker,
        store: ScoreStore,
        identity: str,
        read: Callable[[Chunk], str],
        listwise: bool,
    ) -> None:
        self._inner = inner
        self._store = store
        self._identity = identity
        self._read = read
        self._listwise = listwise

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        texts = [self._read(candidate.chunk) for candidate in candidates]
        if self._listwise:
            return self._score_list(question, candidates, self._key(question.text, *texts))
        keys = [self._key(question.text, text) for text in texts]
        known = self._store.get(keys)
        missing = [i for i, key in enumerate(keys) if key not in known]
        if len(missing) == len(candidates):
            return self._asked(question, candidates, keys)
        hits = [i for i, key in enumerate(keys) if key in known]
        cached = Scores(tuple(known[keys[i]][0] for i in hits), cached=len(hits))
        if not missing:
            return replace(cached, cost=0.0)
        new = self._asked(question, [candidates[i] for i in missing], [keys[i] for i in missing])
        both = layered([Layer(self.card, missing, new), Layer(self.card, hits, cached)], candidates)
        return replace(both, status=new.status, reason=new.reason)

    def _score_list(self, question: Question, candidates: Sequence[Candidate], key: Key) -> Scores:
        values = self._store.get([key]).get(key)
        if values is not None and len(values) == len(candidates):
            return Scores(values, cached=len(values), cost=0.0)
        scores = self._inner.score(question, candidates)
        if self._whole(scores):
            self._store.put({key: scores.values})
        return scores

    def _asked(self, question: Question, candidates: Sequence[Candidate], keys: Sequence[Key]) -> Scores:
        scores = self._inner.score(question, candidates)
        if self._whole(scores) and len(scores.values) == len(keys):
            self._store.put({key: (value,) for key, value in zip(keys, scores.values, strict=True)})
        return scores

    def _whole(self, scores: Scores) -> bool:
        readers = {scores.readers[reader] for reader in scores.by} if scores.readers else set()
        return scores.status == "ok" and scores.ranks and readers <= {self.card}

    def _key(self, *parts: str) -> Key:
        said = json.dumps([self._identity, *parts])
        return hashlib.sha256(said.encode()).digest()


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
