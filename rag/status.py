"""What the index holds."""

from __future__ import annotations

from typing import Any

from rag.api import Rag


def read_status(rag: Rag, with_sources: bool = False) -> dict[str, Any]:
    """Reads the catalog alone: no model, no Chroma."""
    folder = rag.settings.store.path
    catalog = rag.parts.index.catalog
    documents, chunks = catalog.counts()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    status: dict[str, Any] = {
        "path": str(folder),
        "documents": documents,
        "chunks": chunks,
        "text_bytes": catalog.text_bytes(),
        "bytes": size,
        "fingerprint": catalog.meta("fingerprint"),
        "generation": int(catalog.meta("generation") or 1),
    }
    return {**status, "sources": [source for source, _ in catalog.sources()]} if with_sources else status
