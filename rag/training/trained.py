"""What came of a training, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag import __version__
from rag.contract import to_json
from rag.evaluation.statistics import Difference
from rag.evaluation.summary import DIGITS
from rag.evaluation.verdict import Word
from rag.models.folder import weights_hash
from rag.runs.provenance import versions
from rag.training.judgement import METRIC, Judgement
from rag.training.learning.average import best_share
from rag.training.learning.loop import Course
from rag.training.plan import Plan, PlanSummary
from rag.training.recalibrate import Recalibrated
from rag.training.recipe import Recipe
from rag.training.trainee import Kind, Trainee, config_lines

_PACKAGES = ("torch", "sentence-transformers", "transformers", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class Trained:
    """`shares`: what the held-out questions said of each mean of the start and what was learned; the best
    was taken. `hashes`: of the questions of each part, and of what was mined for them."""

    config: str
    trainee: Trainee
    licence: str
    recipe: Recipe
    plan: Plan
    course: Course
    shares: Mapping[float, float]
    calibration: Recalibrated
    judgement: Judgement
    installed: bool
    out: Path
    collection: str
    hashes: Mapping[str, str]

    @property
    def about(self) -> str:
        return self.collection or "the config's own documents"

    @property
    def share(self) -> float:
        return best_share(self.shares)

    @property
    def lines(self) -> str:
        """What a config says to use it."""
        return config_lines(self.trainee, self.out)


@dataclass(frozen=True, slots=True)
class VerdictSummary:
    """On held-out questions; `gain` of the whole pipeline, `first_stage` of the first stage alone."""

    metric: str
    word: Word
    text: str
    needed: int | None
    before: float
    after: float
    gain: Difference
    first_stage: Difference


@dataclass(frozen=True, slots=True)
class TrainedSummary:
    """What is printed, and what `--json` says."""

    config: str
    model: str
    kind: Kind
    installed: bool
    out: str
    config_lines: str
    verdict: VerdictSummary
    plan: PlanSummary
    steps: int
    resumed: int
    ended: str
    best_step: int
    share: float
    calibration: str
    seconds: float


def summarise_training(made: Trained) -> TrainedSummary:
    judgement, course = made.judgement, made.course
    return TrainedSummary(
        config=made.config,
        model=made.trainee.name,
        kind=made.trainee.kind,
        installed=made.installed,
        out=str(made.out),
        config_lines=made.lines,
        verdict=VerdictSummary(
            METRIC,
            judgement.verdict.word,
            judgement.verdict.text,
            judgement.verdict.needed,
            judgement.before,
            judgement.after,
            judgement.gain,
            judgement.first_stage,
        ),
        plan=made.plan.summary(),
        steps=course.done,
        resumed=course.resumed,
        ended=course.ended,
        best_step=course.best.step,
        share=made.share,
        calibration=made.calibration.chosen,
        seconds=round(course.seconds, 1),
    )


def provenance_json(made: Trained) -> dict[str, Any]:
    """The file beside the weights: enough to do it again and to doubt it."""
    plan, judgement = made.plan, made.judgement
    return {
        # As `rag models` reads them.
        "version": f"trained by rag {__version__}, seed {made.recipe.seed}",
        "license": made.licence,
        "trained_on": [made.trainee.name, f"{plan.train} questions and {plan.titles} titles of {made.about}"],
        "figures": {
            "held-out ndcg@10 before": round(judgement.before, 4),
            "held-out ndcg@10 after": round(judgement.after, 4),
        },
        **to_json(summarise_training(made), DIGITS),
        "start": {"name": made.trainee.name, "weights": weights_hash(made.trainee.folder)},
        "recipe": asdict(made.recipe),
        "hashes": dict(made.hashes),
        "shares": {str(share): round(measured, 6) for share, measured in made.shares.items()},
        "calibration_log_loss": dict(made.calibration.losses),
        "looks": [asdict(look) for look in made.course.looks],
        "losses": [{"step": step.number, **step.losses} for step in made.course.losses],
        "versions": versions(_PACKAGES),
    }
