"""What came of a training, and how it came to be."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rag import __version__
from rag.evaluation.statistics import Difference
from rag.models.folder import weights_hash
from rag.training.learning.average import best_share
from rag.training.learning.loop import Course
from rag.training.plan import Plan
from rag.training.recalibrate import Recalibrated
from rag.training.recipe import Recipe
from rag.training.trainee import Trainee, config_lines
from rag.training.verdict import METRIC, Judgement

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


def trained_json(made: Trained) -> dict[str, Any]:
    judgement = made.judgement
    return {
        "config": made.config,
        "model": made.trainee.name,
        "kind": made.trainee.kind,
        "installed": made.installed,
        "out": str(made.out),
        "config_lines": made.lines,
        "verdict": {
            "metric": METRIC,
            "word": judgement.verdict.word,
            "text": judgement.verdict.text,
            "needed": judgement.verdict.needed,
            "before": round(judgement.before, 6),
            "after": round(judgement.after, 6),
            "gain": _gain(judgement.gain),
            "first_stage": _gain(judgement.first_stage),
        },
        "plan": made.plan.as_json(),
        "steps": made.course.done,
        "resumed": made.course.resumed,
        "ended": made.course.ended,
        "best_step": made.course.best.step,
        "share": made.share,
        "calibration": made.calibration.chosen,
        "seconds": round(made.course.seconds, 1),
    }


def record(made: Trained) -> dict[str, Any]:
    """Enough to do it again and to doubt it."""
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
        **trained_json(made),
        "start": {"name": made.trainee.name, "weights": weights_hash(made.trainee.folder)},
        "recipe": asdict(made.recipe),
        "hashes": dict(made.hashes),
        "shares": {str(share): round(measured, 6) for share, measured in made.shares.items()},
        "calibration_log_loss": dict(made.calibration.losses),
        "looks": [asdict(look) for look in made.course.looks],
        "losses": [{"step": step.number, **step.losses} for step in made.course.losses],
        "versions": {
            "python": platform.python_version(),
            "rag": __version__,
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _gain(gain: Difference) -> dict[str, float | int]:
    return {name: round(value, 6) for name, value in asdict(gain).items()}
