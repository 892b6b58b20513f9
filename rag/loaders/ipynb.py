"""Jupyter notebooks: text cells as they stand, code in fences, and what it printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from rag.loaders.inline import fence_for
from rag.loaders.markdown import anchors, first_heading
from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document

_LONGEST_OUTPUT = 2_000


def load(file: RawFile) -> Iterable[Document]:
    try:
        notebook = json.loads(file.text())
    except ValueError as error:
        raise Unreadable(f"not valid JSON: {error}") from error
    if not isinstance(notebook, dict):
        raise Unreadable("no notebook")
    language = _language(notebook)
    text = "\n\n".join(block for cell in _cells(notebook) for block in _blocks(cell, language))
    yield file.document(text, {"title": first_heading(text)}, markup="markdown", anchors=tuple(anchors(text)))


def _cells(notebook: dict[str, object]) -> Iterator[dict[str, object]]:
    """Of the present form, and of the one before 2015, which has them in worksheets."""
    sheets = [notebook, *_objects(notebook.get("worksheets"))]
    yield from (cell for sheet in sheets for cell in _objects(sheet.get("cells")))


def _blocks(cell: dict[str, object], language: str) -> Iterator[str]:
    source = _text(cell.get("source", cell.get("input")))
    kind = cell.get("cell_type")
    if kind == "code":
        yield from _fenced(source, language)
        for output in _objects(cell.get("outputs")):
            yield from _fenced(_printed(output)[:_LONGEST_OUTPUT], "")
    elif kind == "heading":
        yield f"{'#' * max(1, min(6, _number(cell.get('level'))))} {source.strip()}"
    elif source.strip():
        yield source.strip("\n")


def _printed(output: dict[str, object]) -> str:
    data = output.get("data")
    shown = data.get("text/plain") if isinstance(data, dict) else None
    return _text(output.get("text")) or _text(shown) or _text(output.get("evalue"))


def _fenced(text: str, language: str) -> Iterator[str]:
    if text.strip():
        fence = fence_for(text)
        yield f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def _language(notebook: dict[str, object]) -> str:
    about = notebook.get("metadata")
    told = about.get("language_info") if isinstance(about, dict) else None
    name = told.get("name") if isinstance(told, dict) else None
    return name if isinstance(name, str) and re.fullmatch(r"[\w+#-]{1,20}", name) else ""


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 1
