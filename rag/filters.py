"""Metadata filters: `key=value` pairs that both sides of the first stage apply before ranking."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rag.errors import InputError
from rag.types import Chunk, Metadata, Scalar

_INTEGERS = range(-(2**63), 2**63)  # what the stores can hold


@dataclass(frozen=True, slots=True)
class Where:
    """Every key must hold one of its values. Values are compared by their text: `2020` matches 2020."""

    clauses: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, pairs: Mapping[str, Scalar | Iterable[Scalar]] | Where | None) -> Where | None:
        """From the function call's mapping, `{"department": "optics", "year": [2023, 2024]}`."""
        if isinstance(pairs, Where):
            return pairs
        if not pairs:
            return None
        return cls(tuple((_key(key), _values(value)) for key, value in pairs.items()))

    @classmethod
    def parse(cls, options: Iterable[str]) -> Where | None:
        """From the command line's `--where key=value`; a repeated key means either value."""
        pairs: dict[str, list[Scalar]] = {}
        for option in options:
            key, separator, value = option.partition("=")
            if not separator:
                raise InputError(f"--where {option!r}: expected key=value, such as department=optics")
            pairs.setdefault(key.strip(), []).append(value.strip())
        return cls.of(pairs)


def typed_forms(value: str) -> list[Scalar]:
    """The scalars that have this text form: stores keep types, filters come as text."""
    forms: list[Scalar] = [value]
    if value in ("true", "false"):
        forms.append(value == "true")
    return forms + [number for number in _numbers(value) if canonical(number) == value]


def _numbers(value: str) -> Iterator[int | float]:
    try:
        number = float(value)
        if math.isfinite(number):
            yield number
        if int(value) in _INTEGERS:
            yield int(value)
    except ValueError:
        return


def _key(key: str) -> str:
    if not METADATA_KEY.fullmatch(key):
        raise InputError(
            f"filter key {key[:80]!r} is not a metadata key: letters, digits, '_', '.', '-' only"
        )
    return key


def _values(value: Scalar | Iterable[Scalar]) -> tuple[str, ...]:
    values = tuple(canonical(item) for item in scalars(value))
    if not values:
        raise InputError("a filter needs at least one value")
    return values


# --- what a document is filed under ---------------------------------------------------------

METADATA_KEY = re.compile(r"[\w.-]{1,128}", re.UNICODE)


def canonical(value: Scalar) -> str:
    """The one text form in which values are compared: True → true, 3.0 → 3."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # Lone surrogates, which a command line can hold, are in no document.
    return str(value).encode("utf-8", "replace").decode()


def filed(chunk: Chunk) -> Metadata:
    """What a filter can name: the document's own metadata, and where the chunk stands."""
    page = {} if chunk.page is None else {"page": chunk.page}
    return {**chunk.metadata, **page, "source": chunk.source}


def tags(metadata: Metadata) -> list[str]:
    """What a chunk is filed under: one `key=value` for each scalar of its metadata that can be named."""
    return [
        tag(key, canonical(item))
        for key, value in metadata.items()
        for item in scalars(value)
        if METADATA_KEY.fullmatch(key)
    ]


def tag(key: str, value: str) -> str:
    # The separator cannot stand in a key, so no value can pass for another key's.
    return f"{key}={value}"


def scalars(value: Scalar | Iterable[Scalar]) -> Iterable[Scalar]:
    return (value,) if isinstance(value, str | int | float | bool) else value
