"""Which calibration belongs to which reranker, model and embedder: a file of the user's, or ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rag.calibration import Calibration, Transform
from rag.errors import ConfigError
from rag.files.given import read_yaml
from rag.types import NOBODY, EmbedderCard, RerankerCard

SHIPPED = Path(__file__).parent / "fitted.yaml"


class CalibrationFile(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """One fit, as it stands in YAML. `fingerprint`: what it was fitted with that decides its scores."""

    reranker: str
    model: str = ""
    embedder: str = ""
    transform: Transform = "identity"
    bias: float = 0.0
    weights: dict[str, float]
    isotonic: tuple[tuple[float, float], ...] = ()
    threshold: float | None = None
    fitted_on: str
    fingerprint: dict[str, str] = {}

    @classmethod
    def of(
        cls, card: RerankerCard, calibration: Calibration, fingerprint: Mapping[str, str]
    ) -> CalibrationFile:
        return cls(
            reranker=card.kind,
            model=card.model,
            transform=calibration.transform,
            bias=calibration.bias,
            weights=dict(calibration.weights),
            isotonic=calibration.isotonic,
            threshold=calibration.threshold,
            fitted_on=calibration.fitted_on,
            fingerprint=dict(fingerprint),
        )

    def yaml(self, head: str) -> str:
        import yaml

        given = {key: value for key, value in self.model_dump(mode="json").items() if value not in (None, [])}
        if not self.embedder:
            del given["embedder"]
        lines = yaml.safe_dump(given, sort_keys=False, width=110, allow_unicode=True)
        return f"{head}{lines}"

    def calibration(self) -> Calibration:
        return Calibration(
            name=" ".join(part for part in (self.reranker, self.model, self.embedder) if part),
            weights=self.weights,
            bias=self.bias,
            transform=self.transform,
            fitted_on=self.fitted_on,
            threshold=self.threshold,
            isotonic=self.isotonic,
        )


def find_calibration(
    reranker: RerankerCard,
    embedder: EmbedderCard,
    path: Path | None,
    fingerprint: Mapping[str, str] | None = None,
    transform: Transform = "logit",
) -> Calibration:
    """fingerprint: what scores are made with now; a file that was fitted with other things warns.
    transform: how scores are read that nothing was fitted to."""
    if path is not None:
        return _from_file(path, reranker, fingerprint or {})
    for fit in _shipped():
        if (fit.reranker, fit.model, fit.embedder) == (reranker.kind, reranker.model, embedder.name):
            return fit.calibration()
    if reranker == NOBODY:
        return Calibration("none", {"cosine": 10.0}, bias=-5.0)
    return without_evidence(reranker, transform)


def without_evidence(reranker: RerankerCard, transform: Transform = "logit") -> Calibration:
    """By the nature of the score alone: where nothing was fitted, or the first stage tells nothing more.

    Such relevance is ordered rightly but not calibrated.
    """
    name = f"{reranker.kind} {reranker.model}".strip()
    return Calibration(name, {} if reranker == NOBODY else {"score": 1.0}, transform=transform)


def _from_file(path: Path, reranker: RerankerCard, now: Mapping[str, str]) -> Calibration:
    fits = read_calibrations(path)
    for fit in fits:
        if (fit.reranker, fit.model) == (reranker.kind, reranker.model):
            return replace(fit.calibration(), warning=_changed(path, fit.fingerprint, now))
    there = ", ".join(f"{fit.reranker} {fit.model}".strip() for fit in fits)
    raise ConfigError(
        f"reranker.calibration {path} was fitted for {there}, "
        f"not for {reranker.kind} {reranker.model}: fit it anew or leave the key out"
    )


def _changed(path: Path, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What a calibration was fitted with and what there is now, where that differs."""
    changes = [
        f"{key} {then[key]!r}, now {now[key]!r}" for key in then if now.get(key, then[key]) != then[key]
    ]
    if not changes:
        return ""
    return f"{path} was fitted with {'; '.join(changes)}: relevance may be off, run `rag calibrate` again"


@lru_cache(maxsize=1)
def _shipped() -> tuple[CalibrationFile, ...]:
    return read_calibrations(SHIPPED)


def read_calibrations(path: Path) -> tuple[CalibrationFile, ...]:
    content: Any = read_yaml(path, "reranker.calibration")
    try:
        return tuple(CalibrationFile(**fit) for fit in (content if isinstance(content, list) else [content]))
    except (TypeError, ValidationError) as error:
        raise ConfigError(f"reranker.calibration {path} cannot be read as a calibration: {error}") from error
