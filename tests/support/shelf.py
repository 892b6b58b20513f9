"""A folder of documents and a real index of it, with an embedder whose every call leaves a line in a file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.chunkers.structure import StructureSettings
from rag.index.fingerprint import fingerprint
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.protocols import Chunker, Embedder
from rag.retrievers.own_index import IndexRetriever, Mode
from rag.stores.chroma import EmbeddedStoreSettings
from rag.types import Candidate, IngestReport, PassageVectors, Question
from support.fakes import WordEmbedder


class NotingEmbedder(WordEmbedder):
    """Appends each text it encodes to a file: the count survives the process."""

    def __init__(self, notes: Path) -> None:
        super().__init__(dimension=16)
        self._notes = notes

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        with self._notes.open("a") as file:
            file.writelines(json.dumps(text) + "\n" for text in texts)
        return super().embed_passages(texts)


def noted(notes: Path) -> list[str]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


@dataclass
class Shelf:
    """Everything happens from its own folder, so that copies of it have the same sources."""

    root: Path
    tokens: int = 24

    @property
    def folder(self) -> Path:
        return self.root / "index"

    @property
    def notes(self) -> Path:
        return self.root / "embedded.jsonl"

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def open(self, embedder: Embedder | None = None, chunker: Chunker | None = None) -> Opened:
        embedder = embedder or NotingEmbedder(self.notes)
        index = Index(self.folder, EmbeddedStoreSettings(path=self.folder).build())
        return Opened(
            self.root, index, embedder, chunker or StructureSettings(tokens=self.tokens).build(embedder)
        )

    def ingest(self, *paths: str, prune: bool = False) -> IngestReport:
        return self.open().ingest(*paths, prune=prune)

    def embedded(self) -> list[str]:
        """The texts encoded since it was asked last."""
        texts = noted(self.notes)
        self.notes.unlink(missing_ok=True)
        return texts

    @contextmanager
    def sql(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.folder / "catalog.sqlite")
        try:
            yield db
        finally:
            db.close()

    def rows(self, table: str) -> list[list[Any]]:
        with self.sql() as db:
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
        return sorted([value.hex() if isinstance(value, bytes) else value for value in row] for row in rows)


@dataclass
class Opened:
    root: Path
    index: Index
    embedder: Embedder
    chunker: Chunker

    @property
    def ingestor(self) -> Ingestor:
        return Ingestor(self.index, LoaderSettings(), self.chunker, self.embedder)

    def ingest(self, *paths: str, prune: bool = False) -> IngestReport:
        with chdir(self.root):
            return self.ingestor.ingest([Path(path) for path in paths or ("docs",)], prune)

    def remove(self, *sources: str) -> list[str]:
        with chdir(self.root):
            return self.ingestor.remove(sources)

    def rebuild(self, embed: bool = False) -> int:
        return self.ingestor.rebuild(embed)

    def check(self) -> None:
        """What a pipeline makes sure of before it answers."""
        self.index.check_fingerprint(fingerprint(self.embedder.card, self.chunker))
        self.index.check_whole()

    def retrieve(self, text: str, mode: Mode = "hybrid", top_n: int = 50) -> Sequence[Candidate]:
        question = Question(text, self.embedder.embed_question(text))
        return IndexRetriever(self.index, mode, top_n, rrf_k=60).retrieve(question)

    def texts(self, text: str, mode: Mode = "hybrid", top_n: int = 50) -> list[str]:
        return [candidate.chunk.text for candidate in self.retrieve(text, mode, top_n)]

    def sources(self) -> list[str]:
        return [source for source, _ in self.index.catalog.sources()]
