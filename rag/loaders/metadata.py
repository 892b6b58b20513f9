"""What files say about themselves, made fit for filters: flat, typed, without surprises."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time

from rag.loaders.decoding import normalise
from rag.types import Scalar

_RESERVED = {"source", "document_id", "page", "headings", "chunk", "format"}
_INTEGERS = range(-(2**63), 2**63)  # what SQLite and Chroma can hold


def clean(metadata: Mapping[str, object]) -> dict[str, Scalar | tuple[Scalar, ...]]:
    """Scalars and tuples of scalars; names of our own get a `meta_` in front; None is left out."""
    cleaned = {_key(key): _value(value) for key, value in metadata.items()}
    return {key: value for key, value in cleaned.items() if key and value is not None and value != ()}


def _key(key: object) -> str:
    name = normalise(str(key)).strip()
    return f"meta_{name}" if name in _RESERVED else name


def _value(value: object) -> Scalar | tuple[Scalar, ...] | None:
    if isinstance(value, (list, tuple, set)):
        items = [_scalar(item) for item in value]
        if not any(isinstance(item, (list, tuple, set, Mapping)) for item in value):
            return tuple(item for item in items if item is not None)
    return _scalar(value)


def _scalar(value: object) -> Scalar | None:
    if isinstance(value, str):
        return normalise(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (date, time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, int):
        return value if value in _INTEGERS else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return normalise(json.dumps(value, ensure_ascii=False, default=str))
