#!/usr/bin/env python
"""The measurements of scripts/bench.py, each for a process of its own. Prints one line of JSON.

python scripts/bench_parts.py NAME ARGUMENT...
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from growth import grow, passage_texts, passages_of

from rag import Rag, Settings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.models.folder import BUNDLED_NAME, find_model
from rag.parts import Parts
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.types import Candidate, Chunk, Floats, Question

Measured = dict[str, Any]


# --- the model ---------------------------------------------------------------------------------


def embed_plain(corpus: str, count: str, out: str) -> Measured:
    """sentence-transformers as it comes: vectors alone."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model(BUNDLED_NAME, None)))
    model.encode(["warm"])
    return _embedded(lambda texts: np.asarray(model.encode(texts)), corpus, count, out)


def embed_ours(corpus: str, count: str, out: str, precision: str) -> Measured:
    """Vectors and token bits."""
    embedder = SentenceTransformersSettings.model_validate({"precision": precision}).build()
    embedder.embed_question("warm")
    return _embedded(
        lambda texts: np.stack([e.vector for e in embedder.embed_passages(texts)]), corpus, count, out
    )


def _embedded(embed: Callable[[list[str]], Floats], corpus: str, count: str, out: str) -> Measured:
    texts = _passages(Path(corpus), int(count))
    started = time.perf_counter()
    vectors = embed(texts)
    seconds = time.perf_counter() - started
    np.save(out, vectors)
    return {"passages_a_second": len(texts) / seconds, "rss_mb": _rss()}


def rerank_plain(corpus: str, questions: str, model: str, out: str) -> Measured:
    """`CrossEncoder.predict` as it comes."""
    from sentence_transformers import CrossEncoder

    encoder = CrossEncoder(model)
    return _reranked(
        lambda question, texts: encoder.predict([(question, t) for t in texts]), corpus, questions, out
    )


def rerank_ours(corpus: str, questions: str, model: str, out: str, precision: str) -> Measured:
    settings = CrossEncoderSettings.model_validate(
        {"kind": "cross-encoder", "model": model, "precision": precision}
    )
    reranker = settings.build(Parts(None, None))  # type: ignore[arg-type]  # it takes neither

    def score(question: str, texts: Sequence[str]) -> Any:
        return reranker.score(Question(question), [_candidate(text) for text in texts]).values

    return _reranked(score, corpus, questions, out)


def _reranked(score: Callable[[str, Sequence[str]], Any], corpus: str, questions: str, out: str) -> Measured:
    texts, asked = _passages(Path(corpus), 1000), _lines(questions)[:8]
    score(asked[0], texts[:50])
    milliseconds, scores = [], []
    for number, question in enumerate(asked):
        fifty = [texts[(number * 50 + i) % len(texts)] for i in range(50)]
        started = time.perf_counter()
        scores.append(np.asarray(score(question, fifty), dtype=np.float64))
        milliseconds.append((time.perf_counter() - started) * 1000)
    np.save(out, np.stack(scores))
    return {"ms": milliseconds, "rss_mb": _rss()}


# --- the index -----------------------------------------------------------------------------------


def build(corpus: str, count: str, work: str) -> Measured:
    """A large index: everything of an ingest but the model."""
    rates: dict[int, float] = {}
    size = int(count)
    grow(passages_of(Path(corpus), 3000), Path(work), [size // 2, size], rates.__setitem__)
    index = Path(work) / "index"
    catalog = sum(f.stat().st_size for f in index.glob("catalog.sqlite*")) / size / 1000
    text = Rag(_whole(work)).assembly.index.catalog.text_bytes() / size / 1000
    return {"rates": list(rates.values()), "catalog_kb": catalog, "text_kb": text}


def search(work: str, questions: str) -> Measured:
    """Warm searches, one after the other, then from sixteen threads."""
    rag, asked = Rag.open(_whole(work)), _lines(questions)
    for question in asked:
        rag.search(question)
    before = _rss()
    milliseconds, stages = [], []
    started = time.perf_counter()
    for question in asked:
        begun = time.perf_counter()
        found = rag.search(question)
        milliseconds.append((time.perf_counter() - begun) * 1000)
        stages.append({stage.name: stage.ms for stage in found.trace.stages})
    alone = len(asked) / (time.perf_counter() - started)

    def timed(question: str) -> float:
        begun = time.perf_counter()
        assert rag.search(question).trace.candidates
        return (time.perf_counter() - begun) * 1000

    with ThreadPoolExecutor(16) as threads:
        started = time.perf_counter()
        together = list(threads.map(timed, asked * 4))
        throughput = len(together) / (time.perf_counter() - started)
    return {
        "ms": milliseconds,
        "stages": {name: statistics.median(s[name] for s in stages) for name in stages[0]},
        "threads_ms": together,
        "per_second": {"one": alone, "sixteen": throughput},
        "rss_mb": {"one": before, "sixteen": _rss()},
    }


def late_interaction(work: str, questions: str) -> Measured:
    """The default reranker on 50 and on 500 candidates, bits read from the index."""
    rag = Rag(_whole(work))
    catalog = rag.assembly.index.catalog
    reranker = LateInteractionSettings().build(Parts(catalog, lambda: rag.assembly.token_encoder))
    asked = [
        Question(text, vectors)
        for text, vectors in zip(
            _lines(questions), rag.assembly.embedder.embed_questions(_lines(questions)), strict=True
        )
    ]
    chunks = next(catalog.all_chunks(20_000))
    found: dict[str, list[float]] = {"50": [], "500": []}
    for number, question in enumerate(asked * 2):
        for size, milliseconds in found.items():
            some = [chunks[(number * 997 + i * 31) % len(chunks)] for i in range(int(size))]
            given = [Candidate(chunk, rank, 0.0) for rank, chunk in enumerate(some, 1)]
            started = time.perf_counter()
            reranker.score(question, given)
            milliseconds.append((time.perf_counter() - started) * 1000)
    return {"ms": {size: statistics.median(milliseconds) for size, milliseconds in found.items()}}


# --- common ------------------------------------------------------------------------------------------


def _whole(work: str) -> Settings:
    return Settings.model_validate(
        {"store": {"kind": "embedded", "path": Path(work) / "index"}, "chunker": {"kind": "whole"}}
    )


def _passages(corpus: Path, count: int) -> list[str]:
    """At most so many, in no order of length or source."""
    texts = list(dict.fromkeys(passage_texts(corpus)))
    random.Random(0).shuffle(texts)
    return texts[:count]


def _candidate(text: str) -> Candidate:
    return Candidate(Chunk("id", "document", "source", 0, text, 0, len(text), reading=text), 1, 0.0)


def _lines(file: str) -> list[str]:
    return [line.strip() for line in Path(file).read_text("utf-8").splitlines() if line.strip()]


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS: dict[str, Callable[..., Measured]] = {
    part.__name__: part
    for part in (embed_plain, embed_ours, rerank_plain, rerank_ours, build, search, late_interaction)
}

if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    name, *arguments = sys.argv[1:]
    print("RESULT " + json.dumps(PARTS[name](*arguments)))
