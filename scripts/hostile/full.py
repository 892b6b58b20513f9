"""A disk that is full at a random file's length: the system refuses what is written beyond it. The error is
ours and says what to do, what is left is read whole, and doing it again with room makes the same index."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from support.killing import contents, differences

from hostile.kills import ALL, TOLD, in_small_steps, left_over, prepare, read
from hostile.trial import Area, Trial
from rag.errors import RagError

_SAID = "said.txt"
_LONGEST_S = 60


def _trials(random: Random) -> Iterator[Trial]:
    while True:
        operation, share = random.choice([*ALL]), random.random()
        yield Trial(
            f"{operation}, no file beyond {share:.0%} of the largest", partial(_full, operation, share)
        )


def _full(operation: str, share: float, folder: Path, ready: Path) -> str:
    in_small_steps()
    told = json.loads((ready / operation / TOLD).read_text())
    _, act, _ = ALL[operation]
    shutil.copytree(ready / operation / "base", folder, dirs_exist_ok=True)
    largest = max(path.stat().st_size for path in (ready / operation / "whole").rglob("*") if path.is_file())
    problems = _without_room(partial(act, folder), int(share * largest), folder / _SAID)
    problems += read(folder, told)
    act(folder)
    problems += differences(told["expected"], contents(folder))
    return "\n".join(problems + left_over(folder))


def _without_room(act: Callable[[], None], most_bytes: int, said: Path) -> list[str]:
    said.touch()
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
            act()
        except RagError:
            pass
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is told of
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            said.write_text(f"no error of ours: {type(error).__name__}: {error}")
        os._exit(0)
    return _ended(pid) or [text for text in [said.read_text()] if text]


def _ended(pid: int) -> list[str]:
    """How it ended, where that was not by itself."""
    until = time.monotonic() + _LONGEST_S
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return [] if status == 0 else [f"ended by {os.waitstatus_to_exitcode(status)}"]
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return [f"hangs: longer than {_LONGEST_S} s"]


AREA = Area(
    name="full disk",
    promise="an error of ours and no hang; what is left is read whole, done again with room nothing is lost",
    trials=_trials,
    short=6,
    long=300,
    prepare=prepare,
)
