"""After `Rag.open` a process may be forked or spawned from, and asked by many threads and coroutines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag import Rag, Settings
from rag.threads.forks import in_each_fork

QUESTION = "How do I reset the tracker?"
# In a process of its own: this one has threads of many tests. A child that hangs ends by its alarm.
_BEGIN = """
import multiprocessing, os, signal, sys, threading
from pathlib import Path
from rag import Rag, Settings

settings = Settings(store={"path": sys.argv[1]}, embedder={"runtime": sys.argv[2]})
QUESTION = "How do I reset the tracker?"

def ask():
    signal.alarm(60)
    return rag.ask(QUESTION).text

def open_and_ask(settings):
    signal.alarm(60)
    return Rag.open(settings).ask(QUESTION).text

if __name__ == "__main__":
    rag = Rag.open(settings)
    expected = rag.ask(QUESTION).text
"""
_FORK = """
    pid = os.fork()
    if pid == 0:
        sys.exit(0 if ask() == expected else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert rag.ask(QUESTION).text == expected
"""
_FORK_AT_WORK = """
    asking = [threading.Thread(target=lambda: [rag.ask(QUESTION) for _ in range(20)]) for _ in range(4)]
    for thread in asking:
        thread.start()
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if ask() == expected else 1)
        assert os.waitpid(pid, 0)[1] == 0
    for thread in asking:
        thread.join()
"""
_POOLS = """
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.starmap(ask, [()] * 4) == [expected] * 4
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(open_and_ask, [settings]) == [expected]
"""
_WRITE_IN_A_FORK = """
    note = Path(sys.argv[1]).parent / "note.md"
    note.write_text("A note on the tracker.")
    rag.ingest(note)
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        from rag.errors import StoreError
        try:
            rag.ingest(note)
        except StoreError as error:
            os._exit(7 if "in a fork of a process that has used it" in str(error) else 1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""


def passes(program: str, index: Path, runtime: str = "auto") -> None:
    file = index.parent / "program.py"  # spawn reads it again
    file.write_text(_BEGIN + program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(file), str(index), runtime],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr


def test_a_fork_answers_as_its_parent_does(handbook_settings: Settings) -> None:
    passes(_FORK, handbook_settings.store.path)


@pytest.mark.slow
def test_a_fork_answers_while_its_parents_threads_are_asking(handbook_settings: Settings) -> None:
    passes(_FORK_AT_WORK, handbook_settings.store.path)


@pytest.mark.slow
def test_pools_of_forked_and_of_spawned_processes_answer(handbook_settings: Settings) -> None:
    passes(_POOLS, handbook_settings.store.path)


@pytest.mark.slow
def test_a_fork_answers_where_torch_runs_the_model(handbook_settings: Settings) -> None:
    passes(_FORK, handbook_settings.store.path, runtime="torch")


@pytest.mark.slow
def test_a_fork_of_a_process_that_has_written_says_that_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "first.md").write_text("# Resetting the tracker\n\nTurn the key to HOLD.")
    index = tmp_path / "index"
    Rag(Settings(store={"path": index})).ingest(tmp_path / "first.md")  # type: ignore[arg-type]  # pydantic validates
    passes(_WRITE_IN_A_FORK, index)


def test_coroutines_and_threads_share_one_rag(handbook: Rag) -> None:
    expected = handbook.ask(QUESTION).text

    async def all_at_once() -> list[str]:
        answers = await asyncio.gather(*(asyncio.to_thread(handbook.ask, QUESTION) for _ in range(8)))
        return [answer.text for answer in answers]

    assert asyncio.run(all_at_once()) == [expected] * 8
    with ThreadPoolExecutor(32) as pool:
        assert {answer.text for answer in pool.map(handbook.ask, [QUESTION] * 32)} == {expected}


def test_what_is_told_of_forks_may_go_before_one_comes() -> None:
    class Told:
        def begin(self) -> None:
            raise AssertionError

    told = Told()
    in_each_fork(told.begin)
    del told
    in_each_fork(print)
