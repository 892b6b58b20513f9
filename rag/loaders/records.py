"""JSON objects with a text: a document each, their other fields the metadata. BEIR corpora are such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped

Record = Mapping[str, object]


def is_record(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def documents(
    file: RawFile, place: str, values: Iterable[tuple[int, object]]
) -> Iterator[Document | Skipped]:
    """A document for each numbered value; what cannot be one is skipped, and the others stay."""
    taken: dict[str, int] = {}
    for number, value in values:
        try:
            record = _object(value)
            name = _name(record, number)
            if name in taken:
                raise Unreadable(f"its id {name!r} is that of {place} {taken[name]}")
            yield document(file, record, name)
            taken[name] = number
        except Unreadable as error:
            yield Skipped(file.source, f"{place} {number}: {error}")


def document(file: RawFile, record: Record, name: str = "") -> Document:
    title = _words(record, "title")
    text = _words(record, "text") or title
    if not text:
        raise Unreadable("empty" if "text" in record else "it has no field 'text'")
    return file.document(text, {**_rest(record), "title": title or None}, part=name)


def _object(value: object) -> Record:
    if isinstance(value, Unreadable):
        raise value
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value


def _name(record: Record, number: int) -> str:
    """What tells a record from the others in its file."""
    names = (str(record[key]).strip() for key in ("_id", "id") if isinstance(record.get(key), str | int))
    return next(filter(None, names), str(number))


def _words(record: Record, field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) and value.strip() else ""


def _rest(record: Record) -> dict[str, object]:
    """The fields without a place of their own; a nested `metadata` is one of its fields each."""
    nested = record.get("metadata")
    rest = {key: value for key, value in record.items() if key not in ("_id", "id", "text", "metadata")}
    return {**nested, **rest} if isinstance(nested, dict) else {**rest, "metadata": nested}
