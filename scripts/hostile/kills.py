"""SIGKILL at a random moment of whatever writes. What is left must be read whole, and doing it again must
make the same index as doing it in one go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from support.killing import SAVE_EVERY, contents, differences
from support.shelf import Shelf, noted

from hostile.operations import ALL, TOLD, in_small_steps, left_over, prepare, read
from hostile.trial import Area, Trial

# Of the trials, those in which doing it again is killed as well.
_TWICE = 0.3


def _trials(random: Random) -> Iterator[Trial]:
    while True:
        operation = random.choice([*ALL])
        moments = [random.random() for _ in range(1 + (random.random() < _TWICE))]
        said = " and ".join(f"{moment:.0%}" for moment in moments)
        yield Trial(f"{operation} killed at {said}", partial(_killed, operation, moments))


def _killed(operation: str, moments: list[float], folder: Path, ready: Path) -> str:
    in_small_steps()
    told = json.loads((ready / operation / TOLD).read_text())
    _, act, _ = ALL[operation]
    shutil.copytree(ready / operation / "base", folder, dirs_exist_ok=True)
    for moment in moments:
        _kill(partial(act, folder), moment * told["seconds"])
    problems = read(folder, told)
    first_run = noted(Shelf(folder).notes)
    act(folder)
    problems += differences(told["expected"], contents(folder))
    problems += left_over(folder)
    if len(moments) == 1:
        twice = Counter(noted(Shelf(folder).notes)) - Counter({*noted(Shelf(folder).notes)})
        problems += [f"encoded twice: {text}" for text in twice - Counter(first_run[-3 * SAVE_EVERY :])]
    return "\n".join(problems)


def _kill(act: Callable[[], None], after_s: float) -> None:
    """This process has opened nothing yet: that is what a fork may use."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


AREA = Area(
    name="kills",
    promise="killed and done again: nothing lost, doubled or encoded twice; what is read is whole",
    trials=_trials,
    short=12,
    long=600,
    prepare=prepare,
)
