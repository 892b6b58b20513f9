"""What the index holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.assembly import Assembly


@dataclass(frozen=True, slots=True)
class Status:
    """`bytes`: of the index on disk. `fingerprint`: what its vectors and passages were made with."""

    path: str
    documents: int
    chunks: int
    text_bytes: int
    bytes: int
    fingerprint: str | None
    generation: int


def read_status(parts: Assembly) -> Status:
    """Reads the catalog alone: no model, no vectors."""
    folder = parts.settings.store.path
    catalog = parts.existing_index().catalog
    documents, chunks = catalog.counts()
    return Status(
        path=str(folder),
        documents=documents,
        chunks=chunks,
        text_bytes=catalog.text_bytes(),
        bytes=sum(map(_size, _files(folder, parts.settings.store.inside))),
        fingerprint=catalog.meta("fingerprint"),
        generation=int(catalog.meta("generation") or 1),
    )


def _files(folder: Path, vectors: tuple[str, ...]) -> Iterator[Path]:
    """The index's own: another one may lie in a folder below."""
    yield from folder.glob("catalog.sqlite*")
    for part in ("lexical", *vectors):
        yield from (folder / part).rglob("*")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:  # a writer is at work
        return 0
