"""From files to documents: which files there are, and what each of them says.

A kind of file is one module with a `load` function, and one line in `_KINDS`. Whatever has a
suffix that is not listed there (source code, logs, README) is taken as text if it is text. The parsers are
imported by the functions that call them: together they take a second to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, PositiveInt

from rag.loaders import (
    asciidoc,
    csv,
    docx,
    epub,
    gzipped,
    html,
    ipynb,
    json,
    jsonl,
    mail,
    markdown,
    odf,
    pdf,
    plain,
    pptx,
    rst,
    subtitles,
    xlsx,
)
from rag.loaders.budget import Budget
from rag.loaders.opening import OUTSIDE, read_file
from rag.loaders.raw import LoadFunction, RawFile, document_id
from rag.loaders.unreadable import Unreadable
from rag.loaders.walk import Found, LeadsOut, find_files, reach
from rag.types import Document, Skipped

if TYPE_CHECKING:
    Loaded = Document | Skipped

__all__ = [
    "LOADERS",
    "LOADER_VERSION",
    "OUTSIDE",
    "Budget",
    "Found",
    "LeadsOut",
    "LoaderSettings",
    "Unreadable",
    "document_id",
    "find_files",
    "is_quick",
    "load_file",
    "reach",
    "read_file",
]

LOADER_VERSION = "4"
"""Raise it whenever the same bytes would give another document: the next ingest then reads them anew."""

_KINDS: tuple[tuple[LoadFunction, str], ...] = (
    (plain.load, ".txt .text .log"),
    (markdown.load, ".md .markdown"),
    (html.load, ".html .htm .xhtml"),
    (rst.load, ".rst"),
    (asciidoc.load, ".adoc .asciidoc .asc"),
    (pdf.load, ".pdf"),
    (docx.load, ".docx .docm"),
    (pptx.load, ".pptx .pptm"),
    (xlsx.load, ".xlsx .xlsm"),
    (csv.load, ".csv .tsv"),
    (json.load, ".json"),
    (jsonl.load, ".jsonl .ndjson"),
    (epub.load, ".epub"),
    (ipynb.load, ".ipynb"),
    (mail.load, ".eml"),
    (mail.load_mbox, ".mbox"),
    (odf.load_text, ".odt .ott"),
    (odf.load_sheets, ".ods"),
    (odf.load_slides, ".odp"),
    (subtitles.load, ".srt .vtt"),
)
LOADERS = {suffix: load for load, suffixes in _KINDS for suffix in suffixes.split()}
# Of these a small file takes a fraction of a second whatever is in it: tests/loaders/test_hostile_files.py.
_QUICK = (plain.load, markdown.load, csv.load, json.load, jsonl.load)
_SMALL_BYTES = 16_000
# So much of a file is told: a report of a hundred thousand lines nobody reads.
_MOST_SKIPPED = 20
_LONGEST_REASON = 300


class LoaderSettings(BaseModel):
    """Which files of a folder are read, and what each may cost. `exclude` holds patterns as in a .gitignore
    file. follow_links: also to what is outside of all that was named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exclude: tuple[str, ...] = ()
    max_bytes: PositiveInt = 50_000_000
    follow_links: bool = False
    budget: Budget = Budget()


def is_quick(path: Path, size: int) -> bool:
    """Whether reading it cannot take long, nor much memory."""
    return (
        size <= _SMALL_BYTES
        and path.suffix.lower() != gzipped.SUFFIX
        and LOADERS.get(path.suffix.lower(), plain.load) in _QUICK
    )


def load_file(path: Path, source: str, data: bytes, settings: LoaderSettings) -> list[Document | Skipped]:
    """The documents in a file's bytes; for each thing that could not become one, the reason."""
    file = RawFile(path, source, data, settings.max_bytes, settings.budget)
    try:
        file.refuse_hopeless()
        if file.suffix == gzipped.SUFFIX:
            file = gzipped.unpacked(file)
            file.refuse_hopeless()
        loaded = _with_text(_loader(file)(file)) or [Skipped(source, "empty")]
        return list(_told(source, [*loaded, *file.left_out]))
    except Unreadable as error:
        return [Skipped(source, _shortened(str(error)))]
    except RecursionError:
        return [Skipped(source, "nested too deeply to be read")]
    except MemoryError:
        raise  # of this process, not of this file alone
    except Exception as error:  # noqa: BLE001 - on a damaged file a third-party parser raises anything
        return [
            Skipped(source, _shortened(f"cannot be read as {file.format}: {type(error).__name__}: {error}"))
        ]


def _loader(file: RawFile) -> LoadFunction:
    return LOADERS.get(file.suffix, plain.load)


def _with_text(loaded: Iterable[Loaded]) -> list[Loaded]:
    return [
        Skipped(item.source, "empty") if isinstance(item, Document) and not item.text.strip() else item
        for item in loaded
    ]


def _told(source: str, loaded: Iterable[Loaded]) -> Iterator[Loaded]:
    """All documents, and of what was left out the first lines and the number of the others."""
    left = _MOST_SKIPPED
    untold = 0
    for item in loaded:
        if isinstance(item, Document):
            yield item
        elif left:
            left -= 1
            yield Skipped(item.source, _shortened(item.reason))
        else:
            untold += 1
    if untold:
        yield Skipped(source, f"{untold:,} more of its records or fields are left out")


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
