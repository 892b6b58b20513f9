"""Trains the reader on what `pairs` has laid down, and names what it was: hashes, licences, recipe."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.torch_reading import ReadingNetwork, save_network
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.reading import ReadingCourse, ReadingRecipe, calibrate
from rag.training.lessons.reading import Group, Item

# So many questions of each at most: an hour of one core reads no more.
MOST = {
    "squad": 7000, "impossible": 1600, "silent": 500, "cmake": 1100, "django": 1100, "systemd": 1300,
    "nodejs": 600, "erlang": 400, "policyqa_dev": 150, "policyqa_test": 150, "lfrqa": 2500, "medquad": 900,
    "pubmedqa_pqal": 400,
}  # fmt: skip
HELD_MANUALS = ("openssh", "tmux")
HELD_OUT = 0.05
A_COLLECTION = 15
SEED = 0


def train(work: Path, out: Path, minutes: float) -> None:
    torch.manual_seed(SEED)
    recipe = ReadingRecipe(seed=SEED)
    body = find_model(BUNDLED_NAME, None)
    lessons = list(chosen(work))
    network = ReadingNetwork(body)
    kept = Checkpoint(work / "checkpoint.pt", repr((recipe, minutes, len(lessons))))
    course = ReadingCourse(network, body, recipe, minutes, kept)
    came = dict(course.run(lessons, lambda line: print(line, flush=True)))
    natural = [group for group in held_out(work) if len(group.items) > 1]
    came["factor"], came["bias"] = calibrate(network, body, spread(natural), recipe.window)
    save_network(network, body, out, record(work, recipe, lessons, came))


def spread(groups: list[Group]) -> list[Group]:
    """Some of each collection, so that none decides alone."""
    by: dict[str, list[Group]] = defaultdict(list)
    for group in random.Random(SEED).sample(groups, len(groups)):
        by[group.origin].append(group)
    return [group for found in by.values() for group in found[:A_COLLECTION]]


def record(work: Path, recipe: ReadingRecipe, lessons: list[Group], came: object) -> dict[str, object]:
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in group_files(work)}
    return {
        "recipe": asdict(recipe),
        "training": came,
        "questions": dict(sorted(Counter(_kind(group) for group in lessons).items())),
        "pairs": files,
        "data": json.loads((work / "sources.json").read_text()),
    }


def chosen(work: Path) -> Iterator[Group]:
    by: dict[str, list[Group]] = defaultdict(list)
    for group in read_groups(work):
        by[_kind(group)].append(group)
    rng = random.Random(SEED)
    for kind, found in sorted(by.items()):
        rng.shuffle(found)
        yield from [group for group in found if not is_held_out(group)][: MOST.get(kind, len(found))]


def held_out(work: Path) -> list[Group]:
    return [group for group in read_groups(work) if is_held_out(group)]


def is_held_out(group: Group) -> bool:
    """Whole articles, manuals and documents, not single questions of them."""
    digest = hashlib.sha256((group.document or group.question).encode()).hexdigest()
    return group.origin in HELD_MANUALS or int(digest[:8], 16) / 2**32 < HELD_OUT


def group_files(work: Path) -> list[Path]:
    return sorted(work.glob("*.groups.jsonl"))


def read_groups(work: Path) -> Iterator[Group]:
    for path in group_files(work):
        yield from groups_of(path)


def groups_of(path: Path) -> Iterator[Group]:
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield Group(**{**row, "items": tuple(Item(**item) for item in row["items"])})


def _kind(group: Group) -> str:
    first = group.items[0].kind
    return first if first in ("impossible", "silent") else group.origin
