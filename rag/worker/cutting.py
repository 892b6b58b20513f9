"""What a file comes to: its documents, cut into passages where they are new or changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.loaders import LoaderSettings, Unreadable, load_file
from rag.protocols import Chunker
from rag.types import Chunk, Document, Skipped


@dataclass(frozen=True, slots=True)
class Task:
    """A file to be read. `before`: id and content hash of the documents of it that need not be cut again."""

    path: Path
    source: str
    data: bytes
    before: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """A new or changed document."""

    document: Document
    content: str
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A document that is as it was before."""

    id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the file is used, and why."""

    reason: str


Item = Cut | Kept | Skipped | Refused


def cut_file(task: Task, loaders: LoaderSettings, chunker: Chunker) -> Iterator[Item]:
    """All there is to say of the file; the last may be that all of it is refused."""
    try:
        yield from _items(task, loaders, chunker)
    except Unreadable as error:
        yield Refused(str(error))
    except RecursionError:
        yield Refused("nested too deeply to be cut into passages")


def _items(task: Task, loaders: LoaderSettings, chunker: Chunker) -> Iterator[Item]:
    documents, skipped = _unique(load_file(task.path, task.source, task.data, loaders))
    budget = loaders.budget
    _check("characters", sum(len(document.text) for document in documents), budget.characters)
    passages = 0
    for document in documents:
        content = content_hash(document)
        if task.before.get(document.id) == content:
            yield Kept(document.id)
            continue
        chunks = tuple(chunker.chunk(document))
        passages += len(chunks)
        _check("passages", passages, budget.passages)
        yield Cut(document, content, chunks)
    yield from skipped


def _check(what: str, count: int, most: int) -> None:
    if count > most:
        raise Unreadable(f"{count:,} {what} or more, and loader.budget.{what} is {most:,}")


def _unique(loaded: Sequence[Document | Skipped]) -> tuple[list[Document], list[Skipped]]:
    documents: dict[str, Document] = {}
    skipped: list[Skipped] = []
    for item in loaded:
        if isinstance(item, Skipped):
            skipped.append(item)
        elif item.id in documents:
            skipped.append(Skipped(item.source, "its id stands twice in the file; the first one is kept"))
        else:
            documents[item.id] = item
    return list(documents.values()), skipped


def content_hash(document: Document) -> str:
    content = json.dumps(
        [document.text, dict(document.metadata), document.markup, document.pages], sort_keys=True
    )
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
