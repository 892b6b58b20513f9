"""Is everything there that these settings need? Each check on its own, so that all problems show at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from rag.assembly import Assembly
from rag.errors import ConfigError, RagError, ServiceError, StoreError
from rag.index.examination import Examined, examine_catalog, examine_derived
from rag.index.fingerprint import fingerprint
from rag.inspection.models_in_use import models_in_use
from rag.parts import PartSettings
from rag.rerankers import AnyRerankerSettings
from rag.settings import Settings
from rag.types import Candidate, Chunk, Passage, Question

_QUESTION = Question("Is anybody there?")
_TEXT = "Somebody is there."
_CANDIDATE = Candidate(Chunk("doctor", "doctor", "doctor", 0, _TEXT, 0, len(_TEXT), reading=_TEXT), 1, 1.0)
Part = TypeVar("Part", bound=PartSettings)


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings, deep: bool = False) -> list[Check]:
    """deep: reads all of the index, and holds its parts against each other."""
    parts = Assembly(settings)
    return [
        _check("store", lambda: _store(parts)),
        _check("embedder", lambda: _embedder(parts)),
        _check("index", lambda: _index(parts)),
        *(_deep(parts) if deep else ()),
        _check("reranker", lambda: _reranker(parts)),
        _check("reader", lambda: _reader(parts)),
        _check("answer", lambda: _answer(parts)),
        _check("generator", lambda: f"{parts.generator.name} is ready"),
        *(_check("server", partial(_answered, *server)) for server in _servers(parts)),
        # Whether it can be used is found above; this tells which it is.
        *(Check("model", True, model.line) for model in models_in_use(settings)),
    ]


Ask = Callable[[], object]
"""A small question to a service."""


def _servers(parts: Assembly) -> Iterator[tuple[str, str, Ask]]:
    """Place in the config, host and question of those that no other check has asked; an embedder's and a
    store's have been. What could not even be built is told above."""
    retriever, generator = parts.settings.retriever, parts.settings.generator
    reached: list[tuple[str, str, Callable[[], Ask]]] = [
        (place, reranker.sends_to(), partial(_scoring, parts, place, reranker))
        for place, reranker in parts.settings.rerankers()
    ]
    reached.append(("retriever", retriever.sends_to(), partial(_retrieving, parts)))
    reached.append(("generator", generator.sends_to(), partial(_writing, parts)))
    for place, host, build in reached:
        with suppress(RagError):
            if host:
                yield place, host, build()


def _scoring(parts: Assembly, place: str, reranker: AnyRerankerSettings) -> Ask:
    return partial(_once(reranker).build(parts.lent(place)).score, _QUESTION, [_CANDIDATE])


def _retrieving(parts: Assembly) -> Ask:
    return partial(_once(parts.settings.retriever).build(lambda: parts.index).retrieve, _QUESTION)


def _writing(parts: Assembly) -> Ask:
    generator = _once(parts.settings.generator).build(parts.lent("generator"))
    return partial(generator.generate, _QUESTION, [Passage(_CANDIDATE, 1.0, 0.0, 0.5, 1)])


def _answered(place: str, host: str, ask: Ask) -> str:
    began = time.monotonic()
    try:
        ask()
    except RagError as error:
        raise ServiceError(f"{place}: {error}", provider=host) from error
    return f"{place}: {host} answered in {time.monotonic() - began:.1f} s"


def _once(part: Part) -> Part:
    """Whoever looks whether a service is there does not ask again."""
    return part.model_copy(update={"retries": 0})


def _check(name: str, examination: Callable[[], str]) -> Check:
    try:
        return Check(name, True, examination())
    except (RagError, OSError) as error:
        return Check(name, False, str(error))


def _deep(parts: Assembly) -> Iterator[Check]:
    yield _check("catalog", lambda: _well(examine_catalog(parts.index.catalog)))
    yield _check("passages", lambda: _well(examine_derived(parts.index)))


def _well(examined: Examined) -> str:
    if examined.problem:
        raise StoreError(examined.problem)
    return examined.told


def _store(parts: Assembly) -> str:
    folder = parts.settings.store.path
    folder.mkdir(parents=True, exist_ok=True)
    documents, chunks = parts.index.catalog.counts()
    may = "can be written" if os.access(folder, os.W_OK) else "can only be read: whoever ingests needs more"
    return f"{folder} {may}; {documents:,} documents, {chunks:,} chunks"


def _embedder(parts: Assembly) -> str:
    card = parts.embedder.card
    vector = parts.embedder.embed_question(_QUESTION.text).vector
    if len(vector) != card.dimension:
        raise ConfigError(f"{card.name} gave {len(vector)} dimensions, not {card.dimension}")
    return f"{card.name} @ {card.revision}: {card.dimension} dimensions, reads {card.window} tokens"


def _index(parts: Assembly) -> str:
    parts.index.check_fingerprint(fingerprint(parts.embedder.card, parts.chunker))
    parts.index.check_whole()
    generation, (_, chunks) = parts.index.current(), parts.index.catalog.counts()
    held = {**generation.vectors.held(), "the lexical index": generation.lexical.count()}
    if {*held.values()} != {chunks}:
        told = ", ".join(f"{name} {count}" for name, count in held.items())
        raise ConfigError(
            f"the catalog has {chunks} chunks, {told}: an ingest is under way, was stopped, or something is "
            "lost; the next `rag ingest` repairs it, `rag rebuild` does in any case"
        )
    if notice := parts.index.notice(fingerprint(parts.embedder.card, parts.chunker)):
        return f"{notice}; {chunks:,} chunks"
    return f"settings and index agree; {chunks:,} chunks in catalog, store and lexical index"


def _reader(parts: Assembly) -> str:
    reader = parts.reader
    if reader is None:
        return "none: relevance alone tells whether there is an answer"
    reader.load()
    return reader.told


def _answer(parts: Assembly) -> str:
    return parts.settings.answer.build().told(reads=parts.reader is not None)


def _reranker(parts: Assembly) -> str:
    pipeline = parts.pipeline
    card = pipeline.reranker.card
    fitted = pipeline.calibration.fitted_on or "not fitted: thresholds of other rerankers do not carry over"
    others = [f"{member.card.kind} {member.card.model}".rstrip() for member in parts.second_stage.members[1:]]
    return (
        f"{card.kind} {card.model}".rstrip()
        + (f", with {', '.join(others)}" if others else "")
        + f"; threshold {pipeline.rule.threshold:g}; calibration: {fitted}"
    )
