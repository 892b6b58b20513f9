"""The hostile trials hold, a short run of them; and one that does not hold is told of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hostile.running import run_trials
from hostile.trial import Area, Trial
from support.places import ROOT

_ENDS = {
    "held": lambda: "",
    "told": lambda: "something was lost",
    "raised": lambda: [][0],
    "crashed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hung": lambda: time.sleep(60),
}


def _trials(random: Random) -> Iterator[Trial]:
    for name, end in _ENDS.items():
        yield Trial(name, lambda folder, ready, end=end: end())  # type: ignore[misc]  # a default binds end


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_what_does_not_hold_crashes_or_hangs_is_told_of(tmp_path: Path) -> None:
    area = Area("ends", "", _trials, short=5, long=5, limit_s=0.5)
    problems = {outcome.what: outcome.problem for outcome in run_trials(area, 1, range(5), tmp_path, jobs=5)}
    assert problems["held"] == ""
    assert problems["told"] == "something was lost"
    assert "IndexError" in problems["raised"]
    assert problems["crashed"] == "ended by SIGKILL"
    assert problems["hung"] == "not over after 0 s"


@pytest.mark.slow
def test_a_short_run_of_all_trials_holds() -> None:
    program = [sys.executable, str(ROOT / "scripts" / "hostile")]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
