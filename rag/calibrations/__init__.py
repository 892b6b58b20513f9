"""Which calibration belongs to which reranker, model and embedder: a file of the user's, or ours."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rag.calibration import Calibration, Transform
from rag.errors import ConfigError
from rag.types import EmbedderCard, RerankerCard

_SHIPPED = Path(__file__).parent / "fitted.yaml"

# Rerankers without a fit of ours. The score's own nature says how to read it: a cross-encoder's
# logit, a service's number between 0 and 1. Such relevance is ordered rightly but not calibrated.
_BY_NATURE: dict[str, Transform] = {"cross-encoder": "identity", "http": "identity"}


class CalibrationFile(BaseModel, frozen=True, extra="forbid"):
    """One fit, as it stands in YAML."""

    reranker: str
    model: str = ""
    embedder: str = ""
    transform: Transform = "identity"
    bias: float = 0.0
    weights: dict[str, float]
    threshold: float | None = None
    fitted_on: str

    def calibration(self) -> Calibration:
        return Calibration(
            name=" ".join(part for part in (self.reranker, self.model, self.embedder) if part),
            weights=self.weights,
            bias=self.bias,
            transform=self.transform,
            fitted_on=self.fitted_on,
            threshold=self.threshold,
        )


def find_calibration(reranker: RerankerCard, embedder: EmbedderCard, path: Path | None) -> Calibration:
    if path is not None:
        return _from_file(path, reranker)
    for fit in _shipped():
        if (fit.reranker, fit.model, fit.embedder) == (reranker.kind, reranker.model, embedder.name):
            return fit.calibration()
    if reranker.kind == "none":
        return Calibration("none", {"cosine": 10.0}, bias=-5.0)
    return without_evidence(reranker)


def without_evidence(reranker: RerankerCard) -> Calibration:
    """By the nature of the score alone: where nothing was fitted, or the first stage tells nothing more."""
    name = f"{reranker.kind} {reranker.model}".strip()
    weights = {} if reranker.kind == "none" else {"score": 1.0}
    return Calibration(name, weights, transform=_BY_NATURE.get(reranker.kind, "logit"))


def _from_file(path: Path, reranker: RerankerCard) -> Calibration:
    fits = _read(path)
    for fit in fits:
        if (fit.reranker, fit.model) == (reranker.kind, reranker.model):
            return fit.calibration()
    there = ", ".join(f"{fit.reranker} {fit.model}".strip() for fit in fits)
    raise ConfigError(
        f"reranker.calibration {path} was fitted for {there}, "
        f"not for {reranker.kind} {reranker.model}: fit it anew or leave the key out"
    )


@lru_cache(maxsize=1)
def _shipped() -> tuple[CalibrationFile, ...]:
    return _read(_SHIPPED)


def _read(path: Path) -> tuple[CalibrationFile, ...]:
    import yaml  # only when a pipeline is built

    try:
        content: Any = yaml.safe_load(path.read_text("utf-8"))
        return tuple(CalibrationFile(**fit) for fit in (content if isinstance(content, list) else [content]))
    except (OSError, yaml.YAMLError, TypeError, ValidationError) as error:
        raise ConfigError(f"reranker.calibration {path} cannot be read as a calibration: {error}") from error
