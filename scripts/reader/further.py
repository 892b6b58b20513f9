"""A reader learns further, from people's questions about manuals, and forgets little: half of what it meets
is what it learned from before, and what comes out is the mean of its weights before and after."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from rag.files.shipped import reader_model
from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.reading import RECORD, merged
from rag.models.torch_reading import ReadingNetwork, read_network, save_network
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.reading import ReadingCourse, ReadingRecipe, calibrate
from rag.training.lessons.reading import Group
from reader.pairs import put_groups
from reader.questions import LEARNED, question_groups
from reader.train import SEED, chosen, groups_of, held_out, spread

RECIPE = ReadingRecipe(seed=SEED, rate=1e-4, heads=4.0, frozen=0, short=0.2)
# More of it fits the learned manuals better, and others worse.
_NEW = 2 / 3


def learn_further(work: Path, cache: Path, start: Path | None, out: Path, minutes: float) -> None:
    torch.manual_seed(SEED)
    start, body = start or reader_model(), find_model(BUNDLED_NAME, None)
    asked = _asked(work, cache)
    network = read_network(merged(start, body))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lessons = evenly(list(chosen(work)), asked)
    kept = Checkpoint(work / "further.pt", repr((RECIPE, minutes, len(lessons))))
    course = ReadingCourse(network, body, RECIPE, minutes, kept)
    came = dict(course.run(lessons, lambda line: print(line, flush=True)))
    _mix(network, before)
    natural = [group for group in held_out(work) if len(group.items) > 1]
    came["factor"], came["bias"] = calibrate(network, body, spread(natural), RECIPE.window)
    record = json.loads((start / RECORD).read_text("utf-8"))
    told = {"recipe": asdict(RECIPE), "training": came, "manuals": LEARNED, "questions": len(asked)}
    save_network(network, body, out, {**record, "further": told})


def evenly(before: Sequence[Group], asked: Sequence[Group]) -> list[Group]:
    """The new questions again and again, until they are as many as the old ones."""
    order = random.Random(SEED).sample(list(asked), len(asked))
    return [*before, *(order[i % len(order)] for i in range(len(before)))]


def _asked(work: Path, cache: Path) -> list[Group]:
    path = work / "questions" / "groups.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        put_groups(path, question_groups(tuple(LEARNED), cache))
    return list(groups_of(path))


def _mix(network: ReadingNetwork, before: dict[str, Tensor]) -> None:
    """Of what was learned: the rest stays what it was to the bit, and need not be kept."""
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parameter.data.mul_(_NEW).add_(before[name], alpha=1 - _NEW)
