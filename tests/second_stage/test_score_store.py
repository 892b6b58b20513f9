"""The file of scores: its bound, and many processes at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rag.second_stage.score_store import ScoreStore


def test_the_cache_does_not_outgrow_its_bound_and_forgets_what_was_not_used(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "cache.sqlite", 100_000)
    for number in range(40):
        store.put({f"{number}-{i}".encode() * 4: (float(i),) for i in range(100)})
    assert 100 < store.status().entries < 4000
    assert store.get([b"39-99" * 4]) == {b"39-99" * 4: (99.0,)}


_WRITES = """
import sys
from pathlib import Path
from rag.second_stage.guards.cache import ScoreStore

store = ScoreStore(Path(sys.argv[1]), 10_000_000)
for number in range(100):
    store.put({f"{sys.argv[2]}-{number}".encode(): (float(number),)})
    store.get([f"{sys.argv[2]}-{number}".encode()])
"""


def test_many_processes_share_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    ScoreStore(path, 10_000_000).put({b"first": (1.0,)})
    started = [
        subprocess.Popen([sys.executable, "-c", _WRITES, str(path), str(name)], stderr=subprocess.PIPE)
        for name in range(3)
    ]
    told = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    store = ScoreStore(path, 10_000_000)
    # A write that would have had to wait is given up: none may be wrong, a few may be missing.
    assert store.status().entries > 150
    keys = [f"{name}-{number}".encode() for name in range(3) for number in range(100)]
    assert all(values == (float(key.split(b"-")[1]),) for key, values in store.get(keys).items())
