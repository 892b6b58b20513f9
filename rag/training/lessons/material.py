"""All that a model learns from and is judged by, gathered once for a training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property

from rag import __version__
from rag.api import Rag
from rag.errors import InputError
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.evaluate import open_for
from rag.evaluation.naming import Naming
from rag.models.folder import weights_hash
from rag.protocols import Progress
from rag.runs.run import ingest_sources
from rag.second_stage.policy import PolicySettings
from rag.settings import Settings
from rag.training.learning.batches import Batches
from rag.training.learning.heldout import HeldOut, hold
from rag.training.lessons.lesson import Lesson, lessons_hash, read_lessons, write_lessons
from rag.training.lessons.mining import Miner
from rag.training.lessons.sources import gather
from rag.training.lessons.split import Parts, split_questions
from rag.training.lessons.titles import title_lessons
from rag.training.options import Options
from rag.training.recipe import Recipe
from rag.training.trainee import Trainee

_PAGE = 1000


class Material:
    """`rag`: the pipeline as it is before training; its index is brought up to date first."""

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset | None,
        trainee: Trainee,
        recipe: Recipe,
        options: Options,
        progress: Progress,
    ) -> None:
        # What is learned from and judged is the reranker itself, whoever may stand in for it.
        self._settings = settings.model_copy(update={"policy": PolicySettings()})
        self._dataset = dataset
        self._trainee = trainee
        self._recipe = recipe
        self._options = options
        self._progress = progress

    @cached_property
    def rag(self) -> Rag:
        if self._dataset is not None:
            return open_for(self._settings, self._dataset, self._options.indexes, self._progress)
        rag = Rag(self._settings)
        ingest_sources(rag, self._progress)
        return rag

    @property
    def collection(self) -> str:
        return self._dataset.name if self._dataset else ""

    @property
    def parts(self) -> Parts:
        return self._gathered[0]

    @property
    def named(self) -> Naming:
        return self._gathered[1]

    @cached_property
    def lessons(self) -> Sequence[Lesson]:
        """Mined once: a passage that changes its place by a rounding must not make it another training."""
        return self._kept("lessons", lambda: self.mined(self.parts.train))

    @cached_property
    def titles(self) -> Sequence[Lesson]:
        return self._kept("titles", self._titles) if self._recipe.pairs else []

    @cached_property
    def batches(self) -> Batches:
        return Batches(self.lessons, self.titles, self._recipe)

    @cached_property
    def held(self) -> HeldOut:
        return hold(self.rag.pipeline, self.parts.stop, self.named, self._recipe.held_depth)

    @cached_property
    def identity(self) -> str:
        """Of all that decides what comes out: equal ones share their work, different ones never."""
        catalog = self.rag.assembly.index.catalog
        files = sorted({file for _, file in catalog.sources()})
        made_by = {
            "version": __version__,
            "model": weights_hash(self._trainee.folder),
            "recipe": asdict(self._recipe),
            "index": catalog.meta("fingerprint"),
            "documents": [[file, sorted(catalog.hashes(file).items())] for file in files],
            "minutes": self._options.minutes,
            "scored_with": self.rag.assembly.scored_with(self.rag.settings.reranker),
        }
        return _hash([made_by, *map(_plain, (self.parts.train, self.parts.stop, self.parts.judge))])

    def hashes(self) -> dict[str, str]:
        """For the record: of the questions of each part, and of what was mined."""
        parts = {"train": self.parts.train, "stop": self.parts.stop, "judge": self.parts.judge}
        hashes = {name: _hash(_plain(questions)) for name, questions in parts.items()}
        return {**hashes, "lessons": lessons_hash(self.lessons), "titles": lessons_hash(self.titles)}

    @cached_property
    def _gathered(self) -> tuple[Parts, Naming]:
        options, seed = self._options, self._recipe.seed
        questions, named = gather(
            self.rag, self._dataset, options.feedback, options.synthetic, seed, self._progress
        )
        return split_questions(questions, seed), named

    def _kept(self, name: str, make: Callable[[], list[Lesson]]) -> Sequence[Lesson]:
        path = self._options.work / f"{name}-{self.identity}.jsonl"
        if not path.exists():
            write_lessons(make(), path)
        return read_lessons(path)

    @cached_property
    def _miner(self) -> Miner:
        return Miner(self.rag.pipeline, self.rag.assembly.index.catalog, self.named, self._recipe)

    def mined(self, questions: Sequence[LabelledQuestion]) -> list[Lesson]:
        if found := list(self._miner.lessons(questions, self._progress)):
            return found
        raise InputError(
            "none of the questions to train on has its answer in the index: `rag ingest` its documents"
        )

    def _titles(self) -> list[Lesson]:
        catalog = self.rag.assembly.index.catalog
        chunks = (chunk for page in catalog.all_chunks(_PAGE) for chunk in page)
        titles = title_lessons(chunks, self.named, self._recipe.titles, self._recipe.seed)
        # A collection of questions and answers has its questions for titles.
        titles = [title for title in titles if not self.parts.holds_out(title.question)]
        return list(self._miner.beside(titles, self._progress))


def _plain(questions: Sequence[LabelledQuestion]) -> list[object]:
    return [[q.id, q.text, sorted(q.relevant.items()), q.metadata.get("spans")] for q in questions]


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
