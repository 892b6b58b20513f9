"""`rag train --reader`: the reader, fitted to a user's own questions; refused where it is not better.

Nobody says which words of a passage answer: the reader as it is marks them, and the sentence that it marks is
what is learned to be marked, and what is taken out of a twin of the passage, which then does not answer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rag.answers.reader import BundledReaderSettings, Reader
from rag.answers.sentences import sentences
from rag.errors import ConfigError
from rag.evaluation.dataset import Dataset
from rag.evaluation.statistics import Difference, difference
from rag.files.shipped import reader_model
from rag.models.card import RECORD, read_card
from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.reading import merged
from rag.protocols import Progress
from rag.settings import Settings
from rag.training.folder import check_out, hold, put
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.reading import ReadingCourse, ReadingRecipe
from rag.training.lessons.lesson import Lesson
from rag.training.lessons.material import Material
from rag.training.lessons.reading import Group, Item
from rag.training.options import Options
from rag.training.recipe import Recipe
from rag.training.trainee import trainee_of

# Gently: what it knows of other documents is not to be forgotten.
RECIPE = ReadingRecipe(rate=5e-5, heads=2.0, frozen=3, short=0.3)
MINUTES = 10.0
_RIGHT, _WRONG = 2, 4
_LEAST_WORDS = 8


@dataclass(frozen=True, slots=True)
class TrainedReader:
    """`before`, `after`: of the passages that do not answer, the share read as less likely to answer than the
    one that does, over `gain.questions` questions held out."""

    out: str
    installed: bool
    questions: int
    before: float
    after: float
    gain: Difference
    config_lines: str


class ReaderTraining:
    def __init__(
        self, settings: Settings, dataset: Dataset | None, seed: int, options: Options, progress: Progress
    ) -> None:
        check_out(options.out)
        model = settings.reader.local_model(settings.token_model())
        self._start = Path(model.name) if model and model.reads == "marks" else reader_model()
        self._seed = seed
        self._options = options
        # The ranking finds what only looks as if it answered; it is not trained here.
        recipe = Recipe(seed=seed, pairs=0)
        self._material = Material(settings, dataset, trainee_of(settings), recipe, options, progress)

    def run(self, tell: Callable[[str], None]) -> TrainedReader:
        with hold(self._options.work):
            present = _reader(self._start)
            lessons = [_group(lesson, present) for lesson in self._material.lessons]
            judging = [_group(lesson, present) for lesson in self._material.mined(self._material.parts.judge)]
            before = told_apart(present, judging)
            made = self._learned(lessons, tell)
            after = told_apart(_reader(made), judging)
            gain = difference(before, after, self._seed)
            trained = TrainedReader(
                out=str(self._options.out),
                installed=gain.low > 0 or self._options.force,
                questions=len(lessons),
                before=float(np.mean(before)),
                after=float(np.mean(after)),
                gain=gain,
                config_lines=f"reader: {{kind: bundled, model: {self._options.out}}}",
            )
            if trained.installed:
                self._install(made, trained)
            return trained

    def _learned(self, lessons: Sequence[Group], tell: Callable[[str], None]) -> Path:
        """The fresh reader's folder, beside the checkpoint."""
        from rag.models.torch_reading import read_network, save_network

        body, work = find_model(BUNDLED_NAME, None), self._options.work
        made = work / f"reader-{self._material.identity}"
        recipe = replace(RECIPE, seed=self._seed)
        network = read_network(merged(self._start, body))
        kept = Checkpoint(work / f"checkpoint-{self._material.identity}.pt", f"{recipe} {self._start}")
        course = ReadingCourse(network, body, recipe, self._options.minutes or MINUTES, kept)
        came = course.run(lessons, tell)
        shutil.rmtree(made, ignore_errors=True)
        save_network(network, body, made, {"training": dict(came), "start": str(self._start)})
        if (self._start / "scale.json").exists():
            shutil.copy(self._start / "scale.json", made)
        return made

    def _install(self, made: Path, trained: TrainedReader) -> None:
        card = read_card(self._start)
        record = {
            "license": card.licence,
            "trained_on": [card.trained_on, f"{trained.questions} questions of {self._material.collection}"],
            "figures": {"told apart, before": trained.before, "told apart, after": trained.after},
        }
        (made / RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
        put(made, self._options.out)


def _reader(folder: Path) -> Reader:
    return BundledReaderSettings(kind="bundled", model=folder).build()


def told_apart(reader: Reader, groups: Sequence[Group]) -> list[float]:
    """For each question the share of its passages without an answer that are below the one with it."""
    found = []
    for group in groups:
        readings = reader.read(group.question, [item.passage for item in group.items])
        logits = [reading.logit for reading in readings]
        right = [value for value, item in zip(logits, group.items, strict=True) if item.answers]
        wrong = [value for value, item in zip(logits, group.items, strict=True) if not item.answers]
        if right and wrong:
            found.append(float(np.mean([max(right) > value for value in wrong])))
    if not found:
        raise ConfigError("none of the questions held out has passages that do not answer: nothing judges")
    return found


def _group(lesson: Lesson, reader: Reader) -> Group:
    return Group("", lesson.question, tuple(_items(lesson, reader)))


def _items(lesson: Lesson, reader: Reader) -> Iterator[Item]:
    texts = [text.reading for text in lesson.right[:_RIGHT]]
    for text, reading in zip(texts, reader.read(lesson.question, texts), strict=True):
        place = int(reading.starts[reading.marks.argmax()]) if len(reading.marks) else -1
        span = next(((start, end) for start, end in sentences(text) if start <= place < end), (0, 0))
        yield Item(lesson.question, text, True, text[slice(*span)])
        twin = f"{text[: span[0]]}{text[span[1] :]}"
        if span[1] and len(twin.split()) >= _LEAST_WORDS:
            yield Item(lesson.question, twin, False, kind="removed")
    for wrong in lesson.wrong[:_WRONG]:
        yield Item(lesson.question, wrong.reading, False, kind="near")
