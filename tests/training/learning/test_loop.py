"""The steps of a training: killed, repeated, stopped."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from support import tiny, training_killed
from support.places import SUPPORT
from torch import Tensor

from rag.errors import ModelError
from rag.protocols import silent
from rag.training.learning.average import choose_share
from rag.training.learning.batches import Batch, Batches
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.loop import Loop, weights_of
from rag.training.recipe import Recipe


@pytest.mark.slow  # three trainings, one of them killed
def test_training_that_was_killed_ends_as_if_it_had_not_been(untaught: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    expected = training_killed.loop(untaught, whole)
    course = expected.run(training_killed.STEPS, None, silent)
    program = [sys.executable, str(SUPPORT / "training_killed.py"), str(untaught), str(killed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr

    seen: list[int] = []
    resumed = training_killed.loop(untaught, killed)
    after = resumed.run(training_killed.STEPS, None, lambda stage, at, total: seen.append(at))
    # The last checkpoint was at step 4, or at the look after step 3 where that came later.
    assert seen == list(range(5, training_killed.STEPS + 1))
    assert after.resumed == 4
    assert [step.number for step in after.losses] == list(range(1, training_killed.STEPS + 1))
    for ours, theirs in zip(after.losses, course.losses, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-3)
    assert [look.measured for look in after.looks] == pytest.approx(
        [look.measured for look in course.looks], rel=1e-3
    )


def test_the_same_seed_trains_the_same_weights_and_another_seed_others(
    untaught: Path, tmp_path: Path
) -> None:
    def weights(name: str, seed: int) -> dict[str, Tensor]:
        (tmp_path / name).mkdir()
        made = training_killed.loop(untaught, tmp_path / name, seed)
        rising = count()
        made.measure = lambda student: float(next(rising))
        made.run(3, None, silent)
        return dict(weights_of(made.student))

    first, second, other = weights("first", 0), weights("second", 0), weights("other", 1)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_checkpoint_of_another_training_is_not_taken_over(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c.pt", "one").write({"step": 1})
    assert Checkpoint(tmp_path / "c.pt", "other").read() is None
    assert Checkpoint(tmp_path / "c.pt", "one").read() == {"step": 1}


class Line:
    """A student of one number, whose loss is what a test says."""

    def __init__(self, loss: Callable[[int], float] = lambda step: 1.0) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        self.temperatures = ()
        self._loss = loss
        self._steps = 0

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self._steps += 1
        (weight,) = self.network.parameters()
        return {"line": weight.sum() * 0 + self._loss(self._steps)}

    def scores(self, question: str, passages: Sequence[str]) -> Any:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def line_loop(student: Line, tmp_path: Path, measured: Sequence[float], recipe: Recipe = tiny.RECIPE) -> Loop:
    values = iter(measured)
    batches = Batches(tiny.lessons(), [], recipe)
    return Loop(student, batches, recipe, lambda _: next(values), Checkpoint(tmp_path / "c.pt", "x"), 100)


def test_a_loss_that_is_not_a_number_stops_loudly(tmp_path: Path) -> None:
    student = Line(lambda step: math.nan if step == 3 else 1.0)
    with pytest.raises(ModelError, match=r"step 3 is not a number .* Lower --rate"):
        line_loop(student, tmp_path, [0.0] * 9).run(9, None, silent)


def test_too_little_memory_is_told_with_what_helps(tmp_path: Path) -> None:
    def full(step: int) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ModelError, match="lower --questions"):
        line_loop(Line(full), tmp_path, [0.0] * 9).run(9, None, silent)


def test_training_stops_where_the_held_out_questions_gain_no_more(tmp_path: Path) -> None:
    recipe = replace(tiny.RECIPE, evaluations=8, patience=2)
    course = line_loop(Line(), tmp_path, [0.1, 0.5, 0.4, 0.3, 0.9], recipe).run(8, None, silent)
    assert course.done == 3
    assert course.best.step == 1
    assert "gained nothing in 2 looks" in course.ended


def test_the_weights_of_the_best_look_are_kept(untaught: Path, tmp_path: Path) -> None:
    made = training_killed.loop(untaught, tmp_path)
    start = weights_of(made.student)
    falling = iter([1.0, 0.5, 0.4, 0.3])
    made.measure = lambda student: next(falling)
    made.run(3, None, silent)
    assert all(torch.equal(value, start[name]) for name, value in weights_of(made.student).items())


def test_the_minutes_given_end_training_with_a_last_look(tmp_path: Path) -> None:
    course = line_loop(Line(), tmp_path, [0.1, 0.2]).run(8, 0.0, silent)
    assert course.done == 1
    assert course.looks[-1].step == 1
    assert course.ended == "the minutes given are over"


def test_of_the_means_of_start_and_end_the_best_is_taken() -> None:
    student = Line()
    (weight,) = student.network.parameters()
    weight.data.fill_(0.0)
    start = weights_of(student)
    weight.data.fill_(1.0)
    wished = 0.4
    measured = choose_share(
        student, start, (0.25, 0.5), -0.6, lambda line: -abs(float(weight.detach()) - wished)
    )
    assert measured.keys() == {0.25, 0.5, 1.0}
    assert float(weight.detach()) == pytest.approx(0.5)
