from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from rag.threads.gathering import Gathering

_LEAVES_ONE_BEHIND = """
import time
from rag.threads.gathering import Gathering

def slow():
    time.sleep(0.4)
    print("ended by itself", flush=True)

found, error = Gathering([slow], 1).results(time.monotonic() + 0.05)
print(found, error, flush=True)
"""


def test_results_come_by_their_places() -> None:
    found, error = Gathering([lambda n=n: n * n for n in range(5)], 2).results(None)  # type: ignore[misc]  # a default binds n
    assert (found, error) == ({n: n * n for n in range(5)}, None)


def test_the_first_error_ends_the_waiting_and_no_more_is_begun() -> None:
    begun: list[int] = []

    def job(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ValueError("one")
        return number

    found, error = Gathering([lambda n=n: job(n) for n in range(5)], 1).results(None)  # type: ignore[misc]  # as above
    assert (found, str(error), begun) == ({0: 0}, "one", [0, 1])


def test_what_is_not_in_by_then_is_left() -> None:
    never = threading.Event()
    found, error = Gathering([lambda: 1, lambda: never.wait(30)], 1).results(time.monotonic() + 0.1)
    never.set()
    assert (found, error) == ({0: 1}, None)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one_thing_to_do(count: int) -> None:
    assert Gathering([lambda: 7] * count, 4).results(None) == ({0: 7} if count else {}, None)


def test_the_process_ends_after_what_it_has_abandoned() -> None:
    """A thread that were stopped inside a model's code would take the process down."""
    done = subprocess.run(
        [sys.executable, "-c", _LEAVES_ONE_BEHIND], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["{} None", "ended by itself"]
