"""From settings to parts: the one place that knows how they fit together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import cast

from rag.calibrations import find_calibration
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder, SentenceTransformersSettings
from rag.generators.base import Parts as GeneratorParts
from rag.index import Index
from rag.ingest import Ingestor, Progress, fingerprint, silent
from rag.pipeline import Pipeline
from rag.protocols import Chunker, Embedder, Generator, TokenEncoder
from rag.rerankers.base import Parts as RerankerParts
from rag.rerankers.base import RerankerSettings
from rag.retrieval import IndexRetriever
from rag.selection import Rule
from rag.settings import Settings

# Of a reranker's settings those that decide what it scores; the others decide when and for how much.
_SCORING = ("model", "revision", "precision", "fields", "max_length", "max_tokens_per_doc")


class Assembly:
    """Builds each part once, when it is first needed: an ingest needs no generator and no key for one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def index(self) -> Index:
        return Index(self.settings.store.path, self.settings.store.build())

    @cached_property
    def embedder(self) -> Embedder:
        return self.settings.embedder.build()

    @cached_property
    def chunker(self) -> Chunker:
        return self.settings.chunker.build(self.embedder)

    def ingestor(self, progress: Progress = silent) -> Ingestor:
        return Ingestor(self.index, self.settings.loader, self.chunker, self.embedder, progress)

    @cached_property
    def generator(self) -> Generator:
        return self.settings.generator.build(GeneratorParts(self.token_encoder))

    @cached_property
    def pipeline(self) -> Pipeline:
        """Refuses an index that other settings made."""
        settings = self.settings
        self._open_meanwhile()
        self.index.check_fingerprint(fingerprint(self.embedder.card, self.chunker))
        self.index.check_whole()
        reranker = settings.reranker.build(RerankerParts(self.index.catalog, self.token_encoder))
        calibration = find_calibration(
            reranker.card,
            self.embedder.card,
            settings.reranker.calibration,
            self.scored_with(settings.reranker),
        )
        threshold = settings.reranker.threshold
        first = settings.retriever
        return Pipeline(
            embedder=self.embedder,
            retriever=IndexRetriever(self.index, first.kind, first.top_n, first.rrf_k),
            reranker=reranker,
            calibration=calibration,
            rule=Rule(
                top_k=settings.reranker.top_k,
                threshold=calibration.threshold or 0.0 if threshold is None else threshold,
                ratio=settings.reranker.ratio,
                duplicates=settings.selection.duplicates,
                budget=settings.selection.budget,
                order=settings.selection.order,
            ),
            generator=lambda: self.generator,
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

    def scored_with(self, reranker: RerankerSettings) -> dict[str, str]:
        """All that decides a candidate's score and evidence: what a calibration was fitted with."""
        given = dict(reranker)
        read = [f"{key}={given[key]}" for key in _SCORING if given.get(key) is not None]
        return {
            "reranker": " ".join([given["kind"], *read]),
            "first_stage": self.settings.retriever.kind,
            "index": fingerprint(self.embedder.card, self.chunker),
        }

    def token_encoder(self) -> TokenEncoder:
        """The embedder where it has token vectors; else the bundled model, for tokens alone."""
        if self.embedder.card.tokens:
            return cast(TokenEncoder, self.embedder)
        return self._bundled

    @cached_property
    def _bundled(self) -> TokenEncoder:
        return SentenceTransformersSettings().build()
