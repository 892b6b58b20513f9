"""What a run would send away and what that would cost, told before it. Opens no connection, loads no model.

Counts are upper bounds: unchanged files, cached embeddings and cached scores are not sent again. Tokens are
a quarter of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.assembly import hosts
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.generators.openai import OpenAIGeneratorSettings
from rag.index.catalog import Catalog
from rag.loaders import find_files, load_file
from rag.protocols import Embedder
from rag.rerankers.hosted import HostedSettings
from rag.runs.questions import read_questions
from rag.selection import estimate_tokens
from rag.settings import Settings
from rag.types import Document, EmbedderCard, PassageVectors, QuestionVectors

if TYPE_CHECKING:
    from rag.protocols import Sizer

_CATALOG = "catalog.sqlite"
_ANY_WINDOW = 8191
_CHUNKS_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class Leaving:
    """One part that talks to a host: what it sends, in how many calls, for how much.

    `cost` is None where the config has no price for it.
    """

    part: str
    kind: str
    host: str
    text: str
    calls: int
    tokens: int
    units: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Costs:
    documents: int
    passages: int
    questions: int
    parts: tuple[Leaving, ...]

    @property
    def cost(self) -> float | None:
        known = [part.cost for part in self.parts if part.cost is not None]
        return sum(known) if known else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "cost": self.cost}


def costs_of_run(settings: Settings) -> Costs:
    questions = read_questions(settings.run.questions) if settings.run.questions else []
    documents, passages = _corpus(settings)
    counted = _Counted(settings, passages, [question.text for question in questions])
    return Costs(documents, len(passages), len(questions), tuple(counted.leaving()))


def _corpus(settings: Settings) -> tuple[int, list[str]]:
    """How many documents, and their passages: of the run's sources, or of the index where it names none."""
    if settings.run.sources:
        documents = list(_documents(settings))
        chunker = settings.chunker.build(_ruler(settings))
        return len(documents), [c.reading for document in documents for c in chunker.chunk(document)]
    path = settings.store.path / _CATALOG
    if not path.exists():
        return 0, []
    catalog = Catalog(path)
    stored = catalog.all_chunks(_CHUNKS_A_TIME)
    return catalog.counts()[0], [chunk.reading for chunks in stored for chunk in chunks]


def _documents(settings: Settings) -> Iterator[Document]:
    for found in find_files(settings.run.sources, settings.loader):
        if isinstance(found, Path):
            loaded = load_file(found, str(found), found.read_bytes(), settings.loader)
            yield from (item for item in loaded if isinstance(item, Document))


def _ruler(settings: Settings) -> Embedder:
    window = _ANY_WINDOW
    if not isinstance(settings.embedder, SentenceTransformersSettings):
        window = settings.embedder.window
    return _Ruler(EmbedderCard("ruler", "", 1, window))


@dataclass(frozen=True, slots=True)
class _Ruler:
    """Measures as the hosted embedders do, and embeds nothing."""

    card: EmbedderCard

    def sizer(self) -> Sizer:
        return estimate_tokens

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]:
        raise NotImplementedError

    def embed_question(self, text: str) -> QuestionVectors:
        raise NotImplementedError

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        raise NotImplementedError


class _Counted:
    def __init__(self, settings: Settings, passages: Sequence[str], questions: Sequence[str]) -> None:
        self._settings = settings
        self._texts = passages
        self._passages = sum(map(estimate_tokens, passages))
        self._mean = ceil(self._passages / len(passages)) if passages else 0
        self._asked = len(questions)
        self._questions = sum(map(estimate_tokens, questions))

    def leaving(self) -> Iterator[Leaving]:
        named = {key: (kind, host) for key, kind, host in hosts(self._settings)}
        kind, host = named["store"]
        if host:
            yield Leaving("store", kind, host, "every passage and its vector", 0, 0, 0.0, None)
        kind, host = named["retriever"]
        if host:
            yield Leaving("retriever", kind, host, "every question", self._asked, self._questions, 0.0, None)
        yield from self._embedding()
        yield from self._reranking()
        yield from self._generating()

    def _embedding(self) -> Iterator[Leaving]:
        embedder = self._settings.embedder
        if isinstance(embedder, SentenceTransformersSettings):
            return
        sent = self._texts if self._settings.run.sources else ()
        tokens = (self._passages if sent else 0) + self._questions
        text = "every passage and every question" if sent else "every question"
        calls = embedder.calls(sent) + self._asked
        cost = self._cost(embedder.kind, embedder.model, 0.0, tokens)
        yield Leaving("embedder", embedder.kind, embedder.host(), text, calls, tokens, 0.0, cost)

    def _reranking(self) -> Iterator[Leaving]:
        """Each stage reads what the one before passes on. What only stands in is not counted."""
        count = min(self._settings.retriever.top_n, len(self._texts))
        first = [("policy.cascade", reranker) for reranker in self._settings.policy.cascade]
        for key, reranker in [*first, ("reranker", self._settings.reranker)]:
            if isinstance(reranker, HostedSettings):
                yield self._stage(key, reranker, count)
            count = min(count, reranker.top_k)

    def _stage(self, key: str, reranker: HostedSettings, count: int) -> Leaving:
        manner, demand = reranker.manner(), reranker.demand(count)
        tokens = count * (self._mean * self._asked + self._questions)
        units = float(demand.units * self._asked)
        text = f"every question with {count or 'its'} candidates"
        cost = self._cost(manner.provider, reranker.model, units, tokens)
        calls = demand.calls * self._asked
        return Leaving(key, reranker.kind, manner.host, text, calls, tokens, units, cost)

    def _generating(self) -> Iterator[Leaving]:
        generator, most = self._settings.generator, self._settings.reranker.top_k
        if not isinstance(generator, OpenAIGeneratorSettings):
            return
        used = min(most * self._mean, self._settings.selection.budget)
        tokens = self._questions + self._asked * (used + generator.max_tokens)
        text = f"every question with at most {most} passages"
        cost = self._cost("openai", generator.model, 0.0, tokens)
        yield Leaving("generator", generator.kind, generator.host(), text, self._asked, tokens, 0.0, cost)

    def _cost(self, provider: str, model: str, units: float, tokens: int) -> float | None:
        price = self._settings.policy.price(provider, model)
        return price.of(units, tokens) if price else None
