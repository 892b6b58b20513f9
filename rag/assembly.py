"""From settings to parts: the one place that knows how they fit together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, cast

from rag.answers.reader import Reader
from rag.calibration import Calibration
from rag.embedders import EmbedderSettings
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder, SentenceTransformersSettings
from rag.generators import GeneratorSettings
from rag.generators.base import Parts as GeneratorParts
from rag.generators.extractive import ExtractiveSettings
from rag.index.fingerprint import fingerprint
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.pipeline import Pipeline
from rag.protocols import Chunker, Embedder, Generator, Retriever, SpannedEncoder
from rag.rerankers.base import Parts as RerankerParts
from rag.rerankers.base import RerankerSettings
from rag.rerankers.none import NoneSettings
from rag.retrievers.own_index import IndexRetriever, RetrieverSettings
from rag.second_stage.fitted import find_calibration, without_evidence
from rag.second_stage.policy import Member, SecondStage, build_second_stage, check_offline
from rag.selection import Rule
from rag.services.offline import forbid_downloads
from rag.settings import Settings
from rag.types import NOBODY

# Who scores what no reranker of the stage has read in time.
_NOBODY = Member(NOBODY, NoneSettings(kind="none"))


def hosts(settings: Settings) -> list[tuple[str, str, str]]:
    """Each part's key in the config, its kind, and the host that it talks to; empty for a local one."""
    rerankers = [
        ("reranker", settings.reranker),
        *(("policy.cascade", other) for other in settings.policy.cascade),
        *(("policy.fallback", other) for other in settings.policy.fallback),
    ]
    return [
        ("store", settings.store.kind, _store_host(settings)),
        ("embedder", settings.embedder.kind, _model_host(settings.embedder)),
        ("retriever", settings.retriever.kind, _first_host(settings)),
        *((key, reranker.kind, reranker.manner().host) for key, reranker in rerankers),
        ("generator", settings.generator.kind, _model_host(settings.generator)),
    ]


def _store_host(settings: Settings) -> str:
    store = settings.store
    if store.kind == "embedded":
        return ""
    return "Chroma Cloud" if store.kind == "cloud" else f"{store.host}:{store.port}"


def _first_host(settings: Settings) -> str:
    first = settings.retriever
    return "" if isinstance(first, RetrieverSettings) else first.host()


def _model_host(part: EmbedderSettings | GeneratorSettings) -> str:
    return "" if isinstance(part, SentenceTransformersSettings | ExtractiveSettings) else part.host()


# Of a reranker's settings those that decide what it scores; the others decide when and for how much.
_SCORING = ("model", "revision", "precision", "fields", "max_length", "max_tokens_per_doc")


class Assembly:
    """Builds each part once, when it is first needed: an ingest needs no generator and no key for one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        if settings.network.offline:
            check_offline(hosts(settings))
            forbid_downloads()

    @cached_property
    def index(self) -> Index:
        return Index(self.settings.store.path, self.settings.store.build())

    def close(self) -> None:
        """Lets go of the index's files, if they were opened."""
        if "index" in self.__dict__:
            self.index.close()

    @cached_property
    def embedder(self) -> Embedder:
        return self.settings.embedder.build()

    @cached_property
    def chunker(self) -> Chunker:
        return self.settings.chunker.build(self.embedder)

    @cached_property
    def ingestor(self) -> Ingestor:
        return Ingestor(self.index, self.settings.loader, self.chunker, self.embedder)

    @cached_property
    def generator(self) -> Generator:
        return self.settings.generator.build(GeneratorParts(self._later("token_encoder"), self.index.catalog))

    @cached_property
    def reader(self) -> Reader | None:
        return self.settings.reader.build()

    @cached_property
    def pipeline(self) -> Pipeline:
        """Refuses an index that other settings made."""
        settings = self.settings
        retriever = self._retriever()
        second = self.second_stage
        calibration, threshold = self._scale(second.members[0])
        scales = {member.card: self._scale(member) for member in (*second.members[1:], _NOBODY)}
        scales.pop(second.reranker.card, None)
        return Pipeline(
            embedder=self.embedder,
            retriever=retriever,
            reranker=second.reranker,
            calibration=calibration,
            others={card: scale for card, (scale, _) in scales.items()},
            rule=Rule(
                top_k=settings.reranker.top_k,
                threshold=threshold,
                thresholds=tuple((card, least) for card, (_, least) in scales.items()),
                ratio=settings.reranker.ratio,
                duplicates=settings.selection.duplicates,
                budget=settings.selection.budget,
                order=settings.selection.order,
            ),
            generator=self._later("generator"),  # a search needs no key
            reader=self.reader,
        )

    def _open_meanwhile(self) -> None:
        """Chroma takes as long to import and to open as a local model to load: side by side."""
        with ThreadPoolExecutor(1) as threads:
            loading = threads.submit(self._load_model)
            self.index.current()
            loading.result()

    def _load_model(self) -> None:
        if isinstance(self.embedder, SentenceTransformersEmbedder):
            self.embedder.load()

    def _retriever(self) -> Retriever:
        first = self.settings.retriever
        if not isinstance(first, RetrieverSettings):
            return first.build()
        self._open_meanwhile()
        self.index.check_fingerprint(fingerprint(self.embedder.card, self.chunker))
        self.index.check_whole()
        return IndexRetriever(self.index, first.kind, first.top_n, first.rrf_k)

    @cached_property
    def second_stage(self) -> SecondStage:
        settings = self.settings
        parts = RerankerParts(self.index.catalog, self._later("token_encoder"))
        return build_second_stage(settings.reranker, settings.policy, parts, settings.store.path)

    def _scale(self, member: Member) -> tuple[Calibration, float]:
        """How its scores are read, and the least relevance that counts where it has scored."""
        path = member.settings.calibration
        if path is not None or isinstance(self.settings.retriever, RetrieverSettings):
            scored_with = self.scored_with(member.settings)
            calibration = find_calibration(member.card, self.embedder.card, path, scored_with)
        else:
            calibration = without_evidence(member.card)
        threshold = member.settings.threshold
        return calibration, calibration.threshold or 0.0 if threshold is None else threshold

    def scored_with(self, reranker: RerankerSettings) -> dict[str, str]:
        """All that decides a candidate's score and evidence: what a calibration was fitted with."""
        given = dict(reranker)
        read = [f"{key}={given[key]}" for key in _SCORING if given.get(key) is not None]
        return {
            "reranker": " ".join([given["kind"], *read]),
            "first_stage": self.settings.retriever.kind,
            "index": fingerprint(self.embedder.card, self.chunker),
        }

    @cached_property
    def token_encoder(self) -> SpannedEncoder:
        """The embedder where it has token vectors; else the bundled model, for tokens alone."""
        if self.embedder.card.tokens:
            return cast(SpannedEncoder, self.embedder)
        return SentenceTransformersSettings().build()

    def _later(self, part: str) -> Callable[[], Any]:
        """Builds the part when it is first called for."""
        return partial(attrgetter(part), self)
