"""`rag train`: questions → lessons → a plan → training → a verdict → a folder that the config names.

Killed at any moment, the same call goes on: lessons, plan, checkpoint, model and the index that is made for
the verdict are kept as they come, under the identity of what is trained on what.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from rag.api import Rag
from rag.calibration import Calibration
from rag.evaluation.dataset import Dataset
from rag.files.whole import write_whole
from rag.inspection.models_in_use import models_in_use
from rag.protocols import Progress
from rag.second_stage.fitted import CalibrationFile
from rag.settings import Settings
from rag.training.card import write_card
from rag.training.folder import check_out, hold, put, sweep
from rag.training.judgement import Judgement, judge_ranked, rank
from rag.training.learning.average import choose_share
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.loop import Course, Loop, weights_of
from rag.training.learning.student import Student
from rag.training.lessons.material import Material
from rag.training.lessons.sources import check_sources
from rag.training.options import Options
from rag.training.plan import Pace, Plan, make_plan
from rag.training.recalibrate import Recalibrated, as_before, recalibrate
from rag.training.recipe import Recipe
from rag.training.reencode import reencode
from rag.training.trained import Trained
from rag.training.trainee import trainee_of, with_model

# Passages encoded to learn how long the whole collection takes.
_TIMED = 64
CALIBRATION = "calibration.yaml"
_HEAD = "# Made by `rag train`; a config names it as reranker.calibration.\n"


class Training:
    def __init__(
        self,
        settings: Settings,
        config: str,
        dataset: Dataset | None,
        recipe: Recipe,
        options: Options,
        progress: Progress,
    ) -> None:
        check_out(options.out)
        check_sources(dataset, options.feedback, options.synthetic)
        self._settings = settings
        self._config = config
        self._recipe = recipe
        self._options = options
        self._progress = progress
        self._trainee = trainee_of(settings)
        self._material = Material(settings, dataset, self._trainee, recipe, options, progress)

    def plan(self) -> Plan:
        with hold(self._options.work):
            return self._plan

    def run(self, tell: Callable[[Plan], None]) -> Trained:
        """`tell` is given the plan before the training starts."""
        with hold(self._options.work):
            sweep(self._options.work, self._material.identity)
            tell(self._plan)
            course, shares = self._learn()
            recalibrated, judgement = self._judge() if course.learned else self._judge_unchanged()
            trained = Trained(
                config=self._config,
                trainee=self._trainee,
                licence=self._licence,
                collection=self._material.collection,
                recipe=self._recipe,
                plan=self._plan,
                course=course,
                shares=shares,
                calibration=recalibrated,
                judgement=judgement,
                installed=judgement.better or self._options.force,
                out=self._options.out,
                hashes=self._material.hashes(),
            )
            if trained.installed:
                self._install(trained)
        return trained

    @property
    def _licence(self) -> str:
        """The start's, which goes on; empty where its files do not say."""
        used = models_in_use(self._settings)
        return next((model.licence for model in used if model.folder == str(self._trainee.folder)), "")

    # --- the plan ----------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> Plan:
        """Made once for a training: after a kill the steps stay as many as they were."""
        path = self._named("plan.json")
        if not path.exists():
            write_whole(path, json.dumps(asdict(self._measure())).encode())
        return Plan(**json.loads(path.read_text("utf-8")))

    def _measure(self) -> Plan:
        material = self._material
        step = self._loop.seconds_a_step()
        pace = Pace.of(step, material.batches, self._recipe, material.held.passages)
        _, passages = material.rag.assembly.index.catalog.counts()
        return make_plan(
            self._trainee.name,
            material.parts,
            material.batches,
            pace.steps(material.batches, self._recipe, self._options.minutes),
            pace,
            passages,
            self._encoding_seconds(passages) if self._trainee.encodes else 0.0,
        )

    def _encoding_seconds(self, passages: int) -> float:
        chunks = next(iter(self._material.rag.assembly.index.catalog.all_chunks(_TIMED)), [])
        readings = [chunk.reading for chunk in chunks]
        # Once to get ready: a runtime prepares for a shape when it meets it.
        self._material.rag.assembly.embedder.embed_passages(readings)
        started = time.perf_counter()
        self._material.rag.assembly.embedder.embed_passages(readings)
        return (time.perf_counter() - started) / max(len(chunks), 1) * passages

    # --- learning ----------------------------------------------------------------------------

    @cached_property
    def _student(self) -> Student:
        return self._trainee.student(self._recipe)

    @cached_property
    def _loop(self) -> Loop:
        checkpoint = Checkpoint(self._named("checkpoint.pt"), self._material.identity)
        return Loop(self._student, self._material.batches, self._recipe, self._material.held.ndcg, checkpoint)

    def _learn(self) -> tuple[Course, dict[float, float]]:
        """Leaves the model in the folder of work, with what came of the training beside it."""
        done = self._named("learned.json")
        if not done.exists():
            start = weights_of(self._student)
            seconds = None if self._options.minutes is None else self._options.minutes * 60
            course = self._loop.run(self._plan.steps, seconds, self._progress)
            known, shares = course.best.measured, self._recipe.shares if course.learned else ()
            measured = choose_share(self._student, start, shares, known, self._material.held.ndcg)
            shutil.rmtree(self._model, ignore_errors=True)
            self._student.save(self._model)
            kept = {"course": asdict(course), "shares": list(measured.items())}
            write_whole(done, json.dumps(kept).encode())
        kept = json.loads(done.read_text("utf-8"))
        return Course.read(kept["course"]), dict(kept["shares"])

    # --- the verdict -------------------------------------------------------------------------

    def _judge(self) -> tuple[Recalibrated, Judgement]:
        material, seed = self._material, self._recipe.seed
        was = material.rag.pipeline.calibration
        new = self._with(self._model, None)
        made = recalibrate(new, was, material.parts.stop, material.named, seed)
        path = self._named(CALIBRATION)
        self._write_calibration(made, self._model, path)
        before = rank(material.rag, material.parts.judge, material.named, self._progress)
        after = rank(self._with(self._model, path), material.parts.judge, material.named, self._progress)
        return made, judge_ranked(before, after, seed)

    def _judge_unchanged(self) -> tuple[Recalibrated, Judgement]:
        """No look was above the start, whose weights were kept: there is no other model to judge."""
        material = self._material
        was = material.rag.pipeline.calibration
        same = rank(material.rag, material.parts.judge, material.named, self._progress)
        return as_before(was), judge_ranked(same, same, self._recipe.seed)

    def _with(self, model: Path, calibration: Path | None) -> Rag:
        """The same pipeline with the trained model, over an index that it made."""
        rag = self._material.rag
        settings = with_model(rag.settings, self._trainee, model, calibration)
        if not self._trainee.encodes:
            return Rag(settings)
        return reencode(rag, settings, self._named("index"), self._progress)

    def _write_calibration(self, made: Recalibrated, model: Path, path: Path) -> None:
        """`model`: where it will lie."""
        fitted_on = f"{len(self._material.parts.stop)} held-out questions, by rag train"
        file = self._calibration_file(replace(made.calibration, fitted_on=fitted_on), model)
        write_whole(path, file.yaml(_HEAD).encode())

    def _calibration_file(self, calibration: Calibration, model: Path) -> CalibrationFile:
        """What a calibration was fitted with names the model by its folder: here `model`, which need not
        be there yet."""
        assembly = self._with(self._model, None).assembly
        reranker = with_model(assembly.settings, self._trainee, model, None).reranker
        card = assembly.second_stage.members[0].card
        if not self._trainee.encodes:
            scored_with = assembly.scored_with(reranker)
            return CalibrationFile.of(replace(card, model=str(model)), calibration, scored_with)
        embedder = replace(assembly.embedder.card, name=str(model))
        return CalibrationFile.of(card, calibration, assembly.scored_with(reranker, embedder))

    def _install(self, trained: Trained) -> None:
        """Complete before it is put in its place: a kill leaves the old model or the new one."""
        self._write_calibration(trained.calibration, trained.out, self._model / CALIBRATION)
        write_card(trained, self._model)
        put(self._model, trained.out)
        shutil.rmtree(self._options.work, ignore_errors=True)

    @property
    def _model(self) -> Path:
        return self._named("model")

    def _named(self, what: str) -> Path:
        """In the folder of work, under this training's identity."""
        return self._options.work / f"{self._material.identity}-{what}"
