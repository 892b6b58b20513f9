"""JSON: records with a text become documents, anything else is shown as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import StringIO

from rag.loaders.raw import RawFile
from rag.loaders.records import document, documents, is_record
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped


def load(file: RawFile) -> Iterable[Document | Skipped]:
    try:
        value = json.loads(file.text())
    except ValueError as error:
        raise Unreadable(f"not valid JSON: {error}") from error
    if value in ({}, [], "", None):
        raise Unreadable("empty")
    if is_record(value):
        return [document(file, value)]
    if isinstance(value, list) and all(map(is_record, value)):
        return documents(file, "item", enumerate(value, start=1))
    return [file.document(_shown(value, file.budget.characters))]


def _shown(value: object, most: int) -> str:
    """As far as it may be long: of a document that is longer nothing is used."""
    shown = StringIO()
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        shown.write(piece)
        if shown.tell() > most:
            break
    return shown.getvalue()
