#!/usr/bin/env python
"""Is every passage within reach, and are the nearest that a search finds the true ones? And Chroma's graph?

    python scripts/recall.py QUESTIONS.jsonl CATALOG... [--count 100000] [--builds 20] [--busy 6]

First an index is built again and again by the real ingest while other processes keep the machine busy: some
documents come, all of them go, others take their place; then each passage is asked for by its own vector.
Then recall of the nearest 50 among --count passages, also under filters. Vectors are mixtures of two real
ones, out of indexes made by rag; the questions are about whatever they are about.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import typer
from growth import Instant, Passages, between

from rag.chunkers.whole import WholeSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.filters import Where
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.protocols import VectorIndex
from rag.stores.chroma import EmbeddedStoreSettings
from rag.stores.embedded import EmbeddedIndex
from rag.stores.exact import ExactIndex
from rag.types import Chunk, EmbedderCard, Floats, PassageVectors

NEAREST = 50
_BATCH = 5000
FILTERS = {"no filter": 1, "1 passage in 10": 10, "1 in 100": 100, "1 in 10,000": 10_000}


def main(
    questions: Path,
    catalogs: list[Path],
    count: int = 100_000,
    builds: int = 20,
    size: int = 5000,
    busy: int = 6,
    graph: bool = True,
    work: Path = Path("runs/recall"),
) -> None:
    """--no-graph: ours alone, without ingest and Chroma. --builds 0, --count 0: only the other half."""
    real = np.concatenate([_vectors(path) for path in catalogs])
    asked, card = _questions(questions)
    if builds:
        _show_reach(real, card if graph else None, builds, size, busy, work / "build")
    if count:
        _show_recall(real, asked, count, graph, work / "large")


def _show_reach(
    real: Floats, card: EmbedderCard | None, builds: int, size: int, busy: int, work: Path
) -> None:
    lost: list[tuple[int, int | None]] = []
    loads: list[float] = []
    with _busy(busy):
        for seed in range(builds):
            lost.append(
                _built(real, card, size, work, seed) if card else (_churned(real, size, work, seed), None)
            )
            loads.append(os.getloadavg()[0])
            print(f"build {seed + 1}: {lost[-1]}, load {loads[-1]:.0f}", file=sys.stderr, flush=True)
    ours = sum(missed for missed, _ in lost)
    theirs = sum(missed or 0 for _, missed in lost) if card else "-"
    print("| builds | load, on cores | passages | out of reach | in Chroma's graph |\n|---|---|---|---|---|")
    load = f"{np.mean(loads):.0f}, on {os.cpu_count()}"
    print(f"| {builds} | {load} | {builds * size:,} | {ours} | {theirs} |\n", flush=True)


def _show_recall(real: Floats, asked: Floats, count: int, graph: bool, work: Path) -> None:
    held = between(real, *np.random.RandomState(0).randint(0, len(real), (2, count)))
    shutil.rmtree(work, ignore_errors=True)
    rows = ExactIndex(work / "vectors")
    index: VectorIndex = EmbeddedStoreSettings(path=work).build().open("recall", 1) if graph else rows
    print(f"| {count:,} passages, {len(asked)} questions | recall@{NEAREST} | ms |\n|---|---|---|")
    _fill(index, held)
    parts = {"": index}
    if isinstance(index, EmbeddedIndex):
        parts["Chroma's graph, "] = index.parts[0]
    for whose, part in parts.items():
        for name, one_in in FILTERS.items():
            recall, ms = _recall(part, held, asked, one_in)
            print(f"| {whose}{name} | {recall:.4f} | {ms:.1f} |", flush=True)


@contextmanager
def _busy(number: int) -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()


# --- within reach ---------------------------------------------------------------------------------


def _built(real: Floats, card: EmbedderCard, size: int, work: Path, seed: int) -> tuple[int, int]:
    """How many passages are not found first by their own vector: by a search, and in Chroma's graph."""
    shutil.rmtree(work, ignore_errors=True)
    store = EmbeddedStoreSettings(path=work / "index").build()
    index = Index(work / "index", store)
    embedder = Instant(_passages(real, card, seed))
    ingestor = Ingestor(index, LoaderSettings(), WholeSettings(kind="whole").build(embedder), embedder)
    before, after = work / "before.jsonl", work / "after.jsonl"
    _write(before, size * 6 // 5)
    ingestor.ingest([before])
    ingestor.remove([str(before)], everything=True)
    _write(after, size)
    ingestor.ingest([after])
    catalog = index.catalog
    standing = {
        id_: vector
        for chunks in catalog.all_chunks(1000)
        for id_, vector in catalog.vectors([chunk.id for chunk in chunks]).items()
    }
    fresh = store.open(catalog.identity(), catalog.generation(), catalog)
    chroma, _ = fresh.parts
    return _missed(fresh, standing), _missed(chroma, standing)


def _churned(real: Floats, size: int, work: Path, seed: int) -> int:
    """The same of the rows alone."""
    shutil.rmtree(work, ignore_errors=True)
    index = ExactIndex(work)
    vectors = between(real, *np.random.RandomState(seed).randint(0, len(real), (2, size)))
    _fill(index, vectors)
    index.delete([_name(number) for number in range(size)])
    again = between(real, *np.random.RandomState(seed + 1000).randint(0, len(real), (2, size)))
    _fill(index, again)
    return _missed(ExactIndex(work), {_name(number): own for number, own in enumerate(again)})


def _missed(index: VectorIndex, standing: dict[str, Floats]) -> int:
    return sum(id_ not in {hit.id for hit in index.search(own, 3)} for id_, own in standing.items())


def _passages(real: Floats, card: EmbedderCard, seed: int) -> Passages:
    some = real[np.random.RandomState(seed).permutation(len(real))]
    return Passages([""] * len(some), some, [PassageVectors(vector, None) for vector in some], card)


def _write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"_id": f"{path.stem}{i}", "text": f"{path.stem} passage {i}"}) for i in range(size))
    path.write_text("\n".join(lines), "utf-8")


# --- the true nearest -----------------------------------------------------------------------------


def _fill(index: VectorIndex, vectors: Floats) -> None:
    for at in range(0, len(vectors), _BATCH):
        part = range(at, min(at + _BATCH, len(vectors)))
        index.add([_chunk(i) for i in part], [*vectors[part.start : part.stop]])


def _nearest(vectors: Floats, question: Floats, one_in: int) -> set[str]:
    """Row i is passage i."""
    some = vectors[::one_in] @ question
    most = min(NEAREST, len(some))
    return {_name(int(i) * one_in) for i in np.argpartition(-some, most - 1)[:most]}


def _chunk(number: int) -> Chunk:
    kept = {f"of{n}": "yes" if number % n == 0 else "no" for n in FILTERS.values() if n > 1}
    return Chunk(_name(number), "d", "s.md", number, "", 0, 1, metadata=kept)


def _name(number: int) -> str:
    return f"{number:032x}"


def _recall(index: VectorIndex, held: Floats, asked: Floats, one_in: int) -> tuple[float, float]:
    where = Where.of({f"of{one_in}": "yes"}) if one_in > 1 else None
    index.search(asked[0], NEAREST, where)
    shares, taken = [], []
    for question in asked:
        true = _nearest(held, question, one_in)
        started = time.perf_counter()
        found = index.search(question, NEAREST, where)
        taken.append((time.perf_counter() - started) * 1000)
        shares.append(len(true & {hit.id for hit in found}) / len(true))
    return float(np.mean(shares)), float(np.median(taken))


def _vectors(catalog: Path) -> Floats:
    rows = sqlite3.connect(catalog).execute("SELECT vector FROM embeddings").fetchall()
    return np.stack([np.frombuffer(row[0], np.float32) for row in rows])


def _questions(path: Path) -> tuple[Floats, EmbedderCard]:
    embedder = SentenceTransformersSettings().build()
    texts = [json.loads(line)["text"] for line in path.read_text("utf-8").split("\n") if line.strip()]
    return np.stack([embedder.embed_question(text).vector for text in texts[:200]]), embedder.card


if __name__ == "__main__":
    typer.run(main)
