"""Training itself: steps, looked at now and then on held-out questions; goes on where it was killed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError
from rag.protocols import Progress
from rag.training.learning.batches import Batches
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.device import out_of_memory
from rag.training.learning.student import Student
from rag.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

# The temperature is one number among millions: it may move faster.
_TEMPERATURE_RATE = 1e-2
_LONGEST_GRADIENT = 1.0
# Of the time since the last one; so that a kill costs little, and writing costs little too.
_CHECKPOINT_SECONDS = 30.0

Measure = Callable[[Student], float]


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    losses: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Look:
    """What the held-out questions said after so many steps."""

    step: int
    measured: float


@dataclass(slots=True)
class Course:
    """How training went. `best` is the step whose weights were kept; 0 is the start. `ended`: why it did."""

    steps: int
    losses: list[Step] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    seconds: float = 0.0
    resumed: int = 0
    ended: str = ""

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Course:
        """From what `asdict` made of it."""
        losses = [Step(**step) for step in plain["losses"]]
        return cls(**{**plain, "losses": losses, "looks": [Look(**look) for look in plain["looks"]]})

    @property
    def done(self) -> int:
        return self.losses[-1].number if self.losses else 0

    @property
    def best(self) -> Look:
        return max(self.looks, key=lambda look: look.measured)

    @property
    def learned(self) -> bool:
        """Whether any look was above the start."""
        return self.best.step > 0

    def stalled(self, patience: int) -> bool:
        return len(self.looks) - 1 - self.looks.index(self.best) >= patience


class Loop:
    """`every`: steps between two checkpoints; None goes by the clock."""

    def __init__(
        self,
        student: Student,
        batches: Batches,
        recipe: Recipe,
        measure: Measure,
        checkpoint: Checkpoint,
        every: int | None = None,
    ) -> None:
        self.student = student
        self._batches = batches
        self._recipe = recipe
        self.measure = measure
        self._checkpoint = checkpoint
        self._every = every
        self._parameters = [parameter for _, parameter in trained(student)]
        self._optimizer = self._made_optimizer()

    def seconds_a_step(self, steps: int = 3) -> float:
        """Of real steps, whose gradients are thrown away; the first warms up and does not count."""
        taken = []
        for step in range(steps):
            started = time.perf_counter()
            self._backward(step)
            taken.append(time.perf_counter() - started)
        self._optimizer.zero_grad()
        return sum(taken[1:]) / (len(taken) - 1)

    def run(self, steps: int, seconds: float | None, progress: Progress) -> Course:
        """Leaves the student with the weights that did best; `seconds` is the most that it may take."""
        course, best = self._start(steps)
        last, began = time.monotonic(), time.monotonic() - course.seconds
        looks = self._looks(steps)
        for step in range(course.done, course.done if course.ended else steps):
            course.losses.append(Step(step + 1, self._take(step, steps)))
            progress("train", step + 1, steps)
            course.seconds = time.monotonic() - began
            late = seconds is not None and course.seconds >= seconds
            if step + 1 in looks or late:
                best = self._look(course, step + 1, best)
                course.ended = self._ended(course, step + 1 == steps, late)
            if self._is_due(step + 1, last) or step + 1 in looks:
                self._save(course, best)
                last = time.monotonic()
            if course.ended:
                break
        self._restore(best)
        return course

    # --- one step ---------------------------------------------------------------------------

    def _take(self, step: int, steps: int) -> dict[str, float]:
        import torch

        rate = self._recipe.rate * self._share(step, steps)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        losses = self._backward(step)
        torch.nn.utils.clip_grad_norm_(self._parameters, _LONGEST_GRADIENT)
        self._optimizer.step()
        return losses

    def _backward(self, step: int) -> dict[str, float]:
        with _explained():
            losses = self.student.loss(self._batches.batch(step))
            total: Tensor = sum(losses.values(), start=next(iter(losses.values())) * 0)
            found = {name: float(loss.detach()) for name, loss in losses.items()}
            if not all(map(math.isfinite, found.values())):
                raise ModelError(
                    f"the loss of step {step + 1} is not a number ({found}): training has run away. Lower "
                    f"--rate ({self._recipe.rate:g})"
                )
            total.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        return found

    def _share(self, step: int, steps: int) -> float:
        """Of the rate: up to the whole, then straight down to nothing."""
        warm = max(1, round(self._recipe.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        return max(0.0, (steps - step) / max(1, steps - warm))

    # --- now and then -----------------------------------------------------------------------

    def _looks(self, steps: int) -> set[int]:
        return {
            math.ceil(steps * part / self._recipe.evaluations)
            for part in range(1, self._recipe.evaluations + 1)
        }

    def _look(self, course: Course, step: int, best: dict[str, Any]) -> dict[str, Any]:
        course.looks.append(Look(step, self.measure(self.student)))
        return weights_of(self.student) if course.best.step == step else best

    def _ended(self, course: Course, done: bool, late: bool) -> str:
        if done:
            return "all steps are done"
        if late:
            return "the minutes given are over"
        if course.stalled(self._recipe.patience):
            return f"the held-out questions gained nothing in {self._recipe.patience} looks"
        return ""

    # --- coming and going -------------------------------------------------------------------

    def _start(self, steps: int) -> tuple[Course, dict[str, Any]]:
        state = self._checkpoint.read()
        if state is None:
            course = Course(steps)
            course.looks.append(Look(0, self.measure(self.student)))
            return course, weights_of(self.student)
        self._restore(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        for mine, kept in zip(self.student.temperatures, state["temperatures"], strict=True):
            mine.data.copy_(kept)
        course = Course.read(state["course"])
        course.resumed = course.done
        return course, state["best"]

    def _save(self, course: Course, best: dict[str, Any]) -> None:
        self._checkpoint.write(
            {
                "weights": weights_of(self.student),
                "optimizer": self._optimizer.state_dict(),
                "temperatures": [temperature.detach() for temperature in self.student.temperatures],
                "best": best,
                "course": asdict(course),
            }
        )

    def _is_due(self, step: int, last: float) -> bool:
        if self._every is not None:
            return step % self._every == 0
        return time.monotonic() - last >= _CHECKPOINT_SECONDS

    def _restore(self, weights: dict[str, Any]) -> None:
        for name, value in trained(self.student):
            value.data.copy_(weights[name])

    def _made_optimizer(self) -> Optimizer:
        from torch.optim import AdamW

        return AdamW(
            [
                {"params": self._parameters, "lr": self._recipe.rate, "weight_decay": self._recipe.decay},
                {"params": list(self.student.temperatures), "lr": _TEMPERATURE_RATE, "weight_decay": 0.0},
            ]
        )


def trained(student: Student) -> Iterator[tuple[str, Parameter]]:
    return ((name, value) for name, value in student.network.named_parameters() if value.requires_grad)


def weights_of(student: Student) -> dict[str, Tensor]:
    """Of what is trained; the rest is as it was."""
    return {name: value.detach().clone() for name, value in trained(student)}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ModelError(
            "there is not enough memory for a step of training: lower --questions or --tokens (--help has "
            "the defaults), or close what else is using it: then the same command goes on where it was"
        ) from error
