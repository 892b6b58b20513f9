"""What the index holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.api import Rag


def read_status(rag: Rag, with_sources: bool = False) -> dict[str, Any]:
    """Reads the catalog alone: no model, no Chroma."""
    folder = rag.settings.store.path
    catalog = rag.assembly.index.catalog
    documents, chunks = catalog.counts()
    status: dict[str, Any] = {
        "path": str(folder),
        "documents": documents,
        "chunks": chunks,
        "text_bytes": catalog.text_bytes(),
        "bytes": sum(map(_size, _files(folder))),
        "fingerprint": catalog.meta("fingerprint"),
        "generation": int(catalog.meta("generation") or 1),
    }
    return {**status, "sources": [source for source, _ in catalog.sources()]} if with_sources else status


def _files(folder: Path) -> Iterator[Path]:
    """The index's own: another one may lie in a folder below."""
    yield from folder.glob("catalog.sqlite*")
    for part in ("chroma", "lexical"):
        yield from (folder / part).rglob("*")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:  # a writer is at work
        return 0
