"""Run by test_loop.py: trains a tiny model and dies by SIGKILL in the middle of a step."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from rag.training.learning.batches import Batches
from rag.training.learning.bi_encoder import BiEncoder
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.loop import Loop
from rag.training.learning.student import Student
from support import tiny

STEPS = 9
EVERY = 2
DIES_AFTER = 5


def measured(student: Student) -> float:
    """Something that depends on the weights."""
    return float(student.scores("who is the otter", ["The otter lives here."])[0][0])


def loop(model: Path, work: Path, seed: int = 0) -> Loop:
    recipe = replace(tiny.RECIPE, seed=seed)
    student = BiEncoder(model, recipe, ("", ""), "cpu")
    batches = Batches(tiny.lessons(), [], recipe)
    return Loop(student, batches, recipe, measured, Checkpoint(work / "checkpoint.pt", "id"), EVERY)


def dies(stage: str, done: int, total: int) -> None:
    if done == DIES_AFTER:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    loop(Path(sys.argv[1]), Path(sys.argv[2])).run(STEPS, None, dies)
