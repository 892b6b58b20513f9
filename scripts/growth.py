#!/usr/bin/env python
"""Everything of an ingest but the model: how many passages a second, and does it stay so as an index grows?

    python scripts/growth.py CORPUS [--count 100000] [--steps 5] [--work DIR]

Passages of the corpus are encoded once; what is ingested are mixtures of two of them, with vectors and
token bits to match, through the real ingest into a real index. Prints a row a step.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from rag.chunkers.structure import StructureSettings
from rag.chunkers.whole import WholeSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings, find_files, load_file
from rag.stores.chroma import EmbeddedStoreSettings
from rag.types import Document, EmbedderCard, Floats, PassageVectors, QuestionVectors

Places = NDArray[np.int_]
_A_FILE = 1000


@dataclass(frozen=True)
class Passages:
    """Real passages, encoded."""

    texts: list[str]
    vectors: Floats
    encoded: Sequence[PassageVectors]
    card: EmbedderCard


def between(vectors: Floats, one: Places, other: Places) -> Floats:
    """Made of two real ones, nearer to the first: they lie among the others as real ones do."""
    mixed = vectors[one] * 0.7 + vectors[other] * 0.3
    unit: Floats = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return unit


class Instant:
    """An embedder that costs nothing: vectors between those of real passages, the bits of one of them."""

    def __init__(self, passages: Passages) -> None:
        self.card = passages.card
        self._passages = passages
        self._random = np.random.RandomState(0)

    def load(self) -> None:
        """There is nothing to load."""

    def sizer(self) -> Callable[[str], int]:
        return lambda text: 1

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        known = self._passages
        one, other = self._random.randint(0, len(known.texts), (2, len(texts)))
        mixed = between(known.vectors, one, other)
        return [PassageVectors(v, known.encoded[i].tokens) for v, i in zip(mixed, one, strict=True)]

    def embed_question(self, text: str) -> QuestionVectors:
        raise NotImplementedError("nobody asks while an index grows")

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        raise NotImplementedError("nobody asks while an index grows")


def passages_of(corpus: Path, most: int) -> Passages:
    embedder = SentenceTransformersSettings().build()
    texts = passage_texts(corpus)
    random.Random(0).shuffle(texts)
    encoded = embedder.embed_passages(texts[:most])
    vectors = np.stack([e.vector for e in encoded]).astype(np.float32)
    return Passages(texts[:most], vectors, encoded, embedder.card)


def passage_texts(corpus: Path) -> list[str]:
    """What an ingest of the corpus would encode."""
    chunker = StructureSettings().build(SentenceTransformersSettings().build())
    settings = LoaderSettings()
    files = (path for path in find_files([corpus], settings) if isinstance(path, Path))
    items = (item for path in files for item in load_file(path, path.name, path.read_bytes(), settings))
    documents = (item for item in items if isinstance(item, Document))
    return [chunk.reading for document in documents for chunk in chunker.chunk(document)]


def grow(passages: Passages, work: Path, sizes: Sequence[int], tell: Callable[[int, float], None]) -> None:
    """An index of as many passages as the last size says; `tell` is given the rate of each step."""
    shutil.rmtree(work, ignore_errors=True)
    index = Index(work / "index", EmbeddedStoreSettings(path=work / "index").build())
    embedder = Instant(passages)
    ingestor = Ingestor(index, LoaderSettings(), WholeSettings(kind="whole").build(embedder), embedder)
    draw, at = random.Random(0), 0
    for size in sizes:
        folder = work / "docs" / f"{size:09d}"
        _write(passages.texts, folder, at, size, draw)
        started = time.perf_counter()
        ingestor.ingest([folder])
        tell(size, (size - at) / (time.perf_counter() - started))
        at = size


def _write(texts: Sequence[str], folder: Path, start: int, end: int, draw: random.Random) -> None:
    folder.mkdir(parents=True)
    for first in range(start, end, _A_FILE):
        with (folder / f"{first:09d}.jsonl").open("w", encoding="utf-8") as file:
            for number in range(first, min(first + _A_FILE, end)):
                one, other = draw.choice(texts), draw.choice(texts)
                text = one[: len(one) // 2] + " " + other[len(other) // 2 :]
                file.write(json.dumps({"_id": str(number), "text": text}) + "\n")


def main(corpus: Path, count: int = 100_000, steps: int = 5, work: Path = Path("runs/growth")) -> None:
    print("| passages | a second in this step | catalog, KB a passage | index, KB a passage |")
    print("|---|---|---|---|")

    def tell(size: int, rate: float) -> None:
        index = work / "index"
        catalog = (index / "catalog.sqlite").stat().st_size / size / 1000
        whole = sum(file.stat().st_size for file in index.rglob("*") if file.is_file()) / size / 1000
        print(f"| {size:,} | {rate:,.0f} | {catalog:.1f} | {whole:.1f} |", flush=True)

    sizes = [count * step // steps for step in range(1, steps + 1)]
    grow(passages_of(corpus, 3000), work, sizes, tell)


if __name__ == "__main__":
    typer.run(main)
