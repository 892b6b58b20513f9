"""A disk that is full at a random file's length: the system refuses what is written beyond it. The error is
ours and says what to do, what is left is read whole, and doing it again with room makes the same index."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from support.killing import contents, differences

from hostile.operations import ALL, TOLD, in_small_steps, left_over, prepare, read
from hostile.running import Forked
from hostile.trial import Area, Trial
from rag.errors import RagError

_LONGEST_S = 60.0


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
    without_room = _without_room(partial(act, folder), int(share * largest))
    problems = [without_room] if without_room else []
    problems += read(folder, told)
    act(folder)
    problems += differences(told["expected"], contents(folder))
    return "\n".join(problems + left_over(folder))


def _without_room(act: Callable[[], None], most_bytes: int) -> str:
    def work(_: Path) -> str:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
        try:
            act()
        except RagError:
            pass
        finally:  # there is room again to tell of any other error
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return ""

    return Forked(work, _LONGEST_S).wait()


AREA = Area(
    name="full disk",
    promise="an error of ours and no hang; what is left is read whole, done again with room nothing is lost",
    trials=_trials,
    short=6,
    long=300,
    prepare=prepare,
)
