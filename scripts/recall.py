#!/usr/bin/env python
"""How many of the true nearest 50 does Chroma find, with our HNSW settings and with its own?

    python scripts/recall.py QUESTIONS.jsonl CATALOG... [--count 100000]

Vectors come from indexes made by rag. Where they are fewer than --count, the rest are made of real
ones: the normalised mean of two, which lies among them as a real passage would.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import typer
from growth import between

from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.stores.chroma import HNSW
from rag.types import Floats

NEAREST = 50


def main(
    questions: Path, catalogs: list[Path], count: int = 100_000, work: Path = Path("runs/recall")
) -> None:
    vectors = _grown(np.concatenate([_vectors(path) for path in catalogs]), count)
    asked = _questions(questions)
    truth = [set(np.argpartition(-(vectors @ q), NEAREST)[:NEAREST].tolist()) for q in asked]
    print("| settings | recall@50 | query, ms | add, vectors/s |\n|---|---|---|---|")
    for name, hnsw in (("ours", HNSW), ("Chroma's own", {"space": "cosine"})):
        recall, ms, speed = measure(work / name.split("'")[0], hnsw, vectors, asked, truth)
        print(f"| {name} | {recall:.4f} | {ms:.2f} | {speed:.0f} |", flush=True)


def measure(
    path: Path, hnsw: Any, vectors: Floats, questions: Floats, truth: list[set[int]]
) -> tuple[float, float, float]:
    shutil.rmtree(path, ignore_errors=True)
    client = chromadb.PersistentClient(str(path))
    collection = client.create_collection("vectors", embedding_function=None, configuration={"hnsw": hnsw})
    size, start = client.get_max_batch_size(), time.perf_counter()
    for at in range(0, len(vectors), size):
        part = vectors[at : at + size]
        collection.add(ids=[str(i) for i in range(at, at + len(part))], embeddings=part)
    speed = len(vectors) / (time.perf_counter() - start)
    start = time.perf_counter()
    found = [
        collection.query(query_embeddings=q[None], n_results=NEAREST, include=[])["ids"][0] for q in questions
    ]
    ms = (time.perf_counter() - start) / len(questions) * 1000
    hits = [len({int(i) for i in ids} & true) for ids, true in zip(found, truth, strict=True)]
    return float(np.mean(hits)) / NEAREST, ms, speed


def _vectors(catalog: Path) -> Floats:
    rows = sqlite3.connect(catalog).execute("SELECT vector FROM embeddings").fetchall()
    return np.stack([np.frombuffer(row[0], np.float32) for row in rows])


def _grown(vectors: Floats, count: int) -> Floats:
    if len(vectors) >= count:
        return vectors[:count]
    rng = np.random.RandomState(0)
    one, other = rng.randint(0, len(vectors), (2, count - len(vectors)))
    return np.concatenate([vectors, between(vectors, one, other)])


def _questions(path: Path) -> Floats:
    embedder = SentenceTransformersSettings().build()
    texts = [json.loads(line)["text"] for line in path.read_text("utf-8").split("\n") if line.strip()]
    return np.stack([embedder.embed_question(text).vector for text in texts[:200]])


if __name__ == "__main__":
    typer.run(main)
