"""What stands beside a model's weights: its licence, what it was trained on, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from rag.errors import ConfigError, ModelError
from rag.files.given import parse_yaml, read_given
from rag.services.validation import first_problem

M = TypeVar("M", bound=BaseModel)

CARD = "README.md"
RECORD = "training.json"
# Some have tables of thousands of figures.
_MOST_BYTES = 10_000_000
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)

Figures = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Empty where the model's files do not say."""

    licence: str = ""
    version: str = ""
    trained_on: str = ""
    figures: Figures = field(default_factory=dict)


def read_card(folder: Path) -> ModelCard:
    """By the front matter of the model card; where it was trained by `rag train`, by that record first."""
    front, record = _checked(_Front, folder / CARD), _checked(_Record, folder / RECORD)
    return ModelCard(
        licence=record.license or _joined(front.license_name or front.license),
        version=record.version,
        trained_on=_joined(record.trained_on or front.datasets),
        figures=record.figures or _figures(front.model_index),
    )


class _Named(BaseModel, coerce_numbers_to_str=True):
    name: str = ""
    type: str = ""


class _Metric(_Named):
    """Some cards have whole tables for a value."""

    value: Any = None


class _Result(BaseModel):
    dataset: _Named = _Named()
    metrics: tuple[_Metric, ...] = ()


class _Indexed(BaseModel):
    results: tuple[_Result, ...] = ()


class _Front(BaseModel):
    """The keys of a card on the Hugging Face hub that are shown."""

    license: str | tuple[str, ...] = ""
    license_name: str = ""
    datasets: str | tuple[str, ...] = ()
    model_index: tuple[_Indexed, ...] = Field(default=(), alias="model-index")


class _Record(BaseModel):
    """The keys of `rag train`'s record that are shown."""

    version: str = ""
    license: str = ""
    trained_on: str | tuple[str, ...] = ""
    figures: dict[str, float | str] = {}


def _checked(kind: type[M], path: Path) -> M:
    try:
        return kind.model_validate(_said(path) if path.exists() else {})
    except (ConfigError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} of the model cannot be read: {first_problem(error)}") from None


def _said(path: Path) -> Any:
    content = read_given(path, "the model's card", _MOST_BYTES)
    text = content.decode("utf-8")
    if path.suffix == ".json":
        said = json.loads(text)
    else:
        matter = _FRONT_MATTER.match(text)
        said = (parse_yaml(matter[1].encode(), "its front matter") or {}) if matter else {}
    # A key without a value is as good as none.
    return (
        {key: value for key, value in said.items() if value is not None} if isinstance(said, dict) else said
    )


def _joined(said: str | Sequence[str]) -> str:
    return said if isinstance(said, str) else ", ".join(said)


def _figures(indexed: Sequence[_Indexed]) -> Figures:
    return {
        f"{result.dataset.name} {metric.name or metric.type}".strip(): metric.value
        for index in indexed
        for result in index.results
        for metric in result.metrics
        if isinstance(metric.value, float | int | str)
    }
