"""From files to documents: which files there are, and what each of them says.

A kind of file is one module with a `load` function, and one line in `_KINDS`. Whatever has a
suffix that is not listed there (source code, logs, README) is taken as text if it is text. The parsers are
imported by the functions that call them: together they take a second to import.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, PositiveInt

from rag.loaders import csv, docx, epub, html, json, jsonl, markdown, pdf, plain, pptx, rst, xlsx
from rag.loaders.raw import LoadFunction, RawFile, document_id
from rag.loaders.unreadable import Unreadable
from rag.loaders.walk import find_files
from rag.types import Document, Skipped

if TYPE_CHECKING:
    Loaded = Document | Skipped

__all__ = ["LOADERS", "LOADER_VERSION", "LoaderSettings", "document_id", "find_files", "load_file"]

LOADER_VERSION = "3"
"""Raise it whenever the same bytes would give another document: the next ingest then reads them anew."""

_KINDS: tuple[tuple[LoadFunction, str], ...] = (
    (plain.load, ".txt .text .log"),
    (markdown.load, ".md .markdown"),
    (html.load, ".html .htm .xhtml"),
    (rst.load, ".rst"),
    (pdf.load, ".pdf"),
    (docx.load, ".docx .docm"),
    (pptx.load, ".pptx .pptm"),
    (xlsx.load, ".xlsx .xlsm"),
    (csv.load, ".csv .tsv"),
    (json.load, ".json"),
    (jsonl.load, ".jsonl .ndjson"),
    (epub.load, ".epub"),
)
LOADERS = {suffix: load for load, suffixes in _KINDS for suffix in suffixes.split()}


class LoaderSettings(BaseModel):
    """Which files of a folder are read. `exclude` holds patterns as in a .gitignore file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exclude: tuple[str, ...] = ()
    max_bytes: PositiveInt = 50_000_000


def load_file(path: Path, source: str, data: bytes, settings: LoaderSettings) -> list[Document | Skipped]:
    """The documents in a file's bytes; for each thing that could not become one, the reason."""
    file = RawFile(path, source, data, settings.max_bytes)
    try:
        file.refuse_hopeless()
        return _with_text(LOADERS.get(file.suffix, plain.load)(file)) or [Skipped(source, "empty")]
    except Unreadable as error:
        return [Skipped(source, str(error))]
    except RecursionError:
        return [Skipped(source, "nested too deeply to be read")]
    except Exception as error:  # noqa: BLE001 - on a damaged file a third-party parser raises anything
        return [Skipped(source, f"cannot be read as {file.format}: {type(error).__name__}: {error}")]


def _with_text(loaded: Iterable[Loaded]) -> list[Loaded]:
    return [
        Skipped(item.source, "empty") if isinstance(item, Document) and not item.text.strip() else item
        for item in loaded
    ]
