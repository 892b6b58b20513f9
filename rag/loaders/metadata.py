"""What files say about themselves, made fit for filters and for every store: flat, typed, bounded.

What cannot be kept is left out and told; the file stays.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time

from rag.loaders.decoding import normalise
from rag.shown import first_of
from rag.types import Scalar

_RESERVED = {"source", "document_id", "page", "headings", "chunk", "format"}
_INTEGERS = range(-(2**63), 2**63)  # what SQLite and Chroma can hold
# Stores have words of their own that begin so: $and, #document, chroma:document.
_NOT_A_NAME = re.compile(r"[^\w.-]+|chroma:")
# Each passage of a document carries all of it, into every store.
_LONGEST_KEY = 128
_LONGEST_VALUE = 4_096
_LONGEST_TITLE = 1_000
_MOST_FIELDS = 100
_MOST_VALUES = 100
_MOST_CHARACTERS = 16_384

Value = Scalar | tuple[Scalar, ...]


class _LeftOut(Exception):
    """Its message says why a value cannot be kept."""


@dataclass(slots=True)
class Cleaned:
    """`left_out`: a sentence for each field, or part of one, that is not among the fields."""

    fields: dict[str, Value] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def clean(metadata: Mapping[str, object]) -> Cleaned:
    """Scalars and tuples of scalars; names of our own get a `meta_` in front; None is left out."""
    cleaned, beyond, room = Cleaned(), [], _MOST_CHARACTERS
    for key, value in sorted(metadata.items(), key=lambda item: item[0] != "title"):
        try:
            name, kept = _key(key), _value(key, value, cleaned.left_out)
        except _LeftOut as reason:
            cleaned.left_out.append(f"its field {_told(key)} is left out: {reason}")
            continue
        if kept is None or kept == ():
            continue
        if len(cleaned.fields) == _MOST_FIELDS or (size := _size(name, kept)) > room:
            beyond.append(_told(key))
        elif name in cleaned.fields:
            cleaned.left_out.append(f"its field {_told(key)} is left out: there is another {name!r}")
        else:
            cleaned.fields[name] = kept
            room -= size
    cleaned.left_out += _beyond(beyond)
    return cleaned


def _beyond(names: list[str]) -> Iterator[str]:
    if names:
        yield (
            f"{len(names):,} of its fields are left out ({first_of(names)}): a document keeps "
            f"{_MOST_FIELDS} fields of {_MOST_CHARACTERS:,} characters together"
        )


def _told(key: object) -> str:
    name = str(key) if isinstance(key, str | int | float) else type(key).__name__
    return repr(name if len(name) <= _LONGEST_KEY else f"{name[:40]}…")


def _key(key: object) -> str:
    name = " ".join(normalise(str(key)).split())
    if not name:
        raise _LeftOut("it has no name")
    if len(name) > _LONGEST_KEY:
        raise _LeftOut(f"its name has more than {_LONGEST_KEY} characters")
    if match := _NOT_A_NAME.match(name):
        rest = name[match.end() :].strip("$#: ")
        if not rest:
            raise _LeftOut("no store can hold its name")
        name = f"meta_{rest}"
    return f"meta_{name}" if name in _RESERVED else name


def _value(key: str, value: object, left_out: list[str]) -> Value | None:
    if isinstance(value, (list, tuple, set)) and not any(
        isinstance(item, (list, tuple, set, Mapping)) for item in value
    ):
        if len(value) > _MOST_VALUES:
            left_out.append(
                f"of its field {_told(key)} {len(value) - _MOST_VALUES:,} values are left out: "
                f"{_MOST_VALUES} are kept"
            )
        scalars = (_scalar(key, item, left_out) for item in list(value)[:_MOST_VALUES])
        return tuple(item for item in scalars if item is not None)
    return _scalar(key, value, left_out)


def _scalar(key: str, value: object, left_out: list[str]) -> Scalar | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (date, time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, int):
        return value if value in _INTEGERS else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = normalise(value if isinstance(value, str) else _written(value))
    if key == "title" and len(text) > _LONGEST_TITLE:
        left_out.append(f"its title is cut after {_LONGEST_TITLE:,} characters")
        return text[:_LONGEST_TITLE]
    if len(text) > _LONGEST_VALUE:
        raise _LeftOut(f"it has {len(text):,} characters, and {_LONGEST_VALUE:,} are kept")
    return text


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError as error:
        raise _LeftOut("its number has too many digits") from error


def _written(value: object) -> str:
    try:
        return json.dumps(list(value) if isinstance(value, set) else value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise _LeftOut("it cannot be written as JSON") from error


def _size(name: str, value: Value) -> int:
    values: Iterable[Scalar] = value if isinstance(value, tuple) else (value,)
    return len(name) + sum(len(str(item)) for item in values)
