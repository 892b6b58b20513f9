"""From settings to parts: the one place that knows how they fit together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from rag.answers.reader import Reader
from rag.calibration import Calibration
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.errors import StoreError
from rag.index.catalog import CATALOG
from rag.index.fingerprint import fingerprint
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.parts import Parts
from rag.pipeline import Pipeline
from rag.protocols import Chunker, Embedder, Generator, SpannedEncoder
from rag.rerankers.base import RerankerSettings
from rag.rerankers.none import NoneSettings
from rag.second_stage.fitted import find_calibration, without_evidence
from rag.second_stage.policy import Member, SecondStage, build_second_stage
from rag.selection import Rule
from rag.services.offline import check_offline, forbid_downloads
from rag.settings import Settings
from rag.types import NOBODY, EmbedderCard

# Who scores what no reranker of the stage has read in time.
_NOBODY = Member(NOBODY, NoneSettings(kind="none"))


# Of a reranker's settings those that decide what it scores; the others decide when and for how much.
_SCORING = ("model", "revision", "precision", "fields", "max_length", "max_tokens_per_doc")


class Assembly:
    """Builds each part once, when it is first needed: an ingest needs no generator and no key for one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        if settings.network.offline:
            check_offline((place, part.kind, part.sends_to()) for place, part in settings.parts())
            forbid_downloads()

    @cached_property
    def index(self) -> Index:
        return Index(self.settings.store.path, self.settings.store.build())

    @property
    def has_index(self) -> bool:
        return (self.settings.store.path / CATALOG).exists()

    def make_index(self) -> None:
        """For who is about to fill it: until then it holds nothing, and that is no mistake."""
        self.index.current()

    def existing_index(self) -> Index:
        """The index, where one was made: none is made by looking for it."""
        if "index" not in self.__dict__:
            _require(self.settings.store.path)
        return self.index

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
        return self.settings.generator.build(self.lent())

    @cached_property
    def reader(self) -> Reader | None:
        return self.settings.reader.build()

    @cached_property
    def asked(self) -> Pipeline:
        """The pipeline over an index that was made: a question makes none."""
        if self.settings.retriever.own:
            self.existing_index()
        return self.pipeline

    @cached_property
    def pipeline(self) -> Pipeline:
        """Refuses an index that other settings made."""
        settings = self.settings
        retriever = settings.retriever.build(self._opened_index)
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
            notice=partial(self.index.notice, fingerprint(self.embedder.card, self.chunker)),
            confidence=settings.answer.build() if calibration.fitted_on else None,
        )

    def _opened_index(self) -> Index:
        """A store takes as long to import and to open as a local model to load: side by side."""
        index = self.index
        with ThreadPoolExecutor(1) as threads:
            loading = threads.submit(lambda: self.embedder.load())
            index.current()
            loading.result()
        self.index.expect(fingerprint(self.embedder.card, self.chunker))
        self.index.check_whole()
        return self.index

    @cached_property
    def second_stage(self) -> SecondStage:
        settings = self.settings
        return build_second_stage(settings.reranker, settings.policy, self.lent(), settings.store.path)

    def lent(self, place: str = "reranker") -> Parts:
        """What a reranker or a generator at this place of the config is built with."""
        return Parts(self.index.catalog, self._later("token_encoder"), place)

    def _scale(self, member: Member) -> tuple[Calibration, float]:
        """How its scores are read, and the least relevance that counts where it has scored."""
        path = member.settings.calibration
        transform = member.settings.transform
        if path is not None or self.settings.retriever.own:
            scored_with = self.scored_with(member.settings)
            calibration = find_calibration(member.card, self.embedder.card, path, scored_with, transform)
        else:
            calibration = without_evidence(member.card, transform)
        threshold = member.settings.threshold
        return calibration, calibration.threshold or 0.0 if threshold is None else threshold

    def scored_with(self, reranker: RerankerSettings, embedder: EmbedderCard | None = None) -> dict[str, str]:
        """All that decides a candidate's score and evidence: what a calibration was fitted with.

        `embedder`: another than the one in use, which makes the same index.
        """
        given = dict(reranker)
        read = [f"{key}={given[key]}" for key in _SCORING if given.get(key) is not None]
        return {
            "reranker": " ".join([given["kind"], *read]),
            "first_stage": self.settings.retriever.kind,
            "index": fingerprint(embedder or self.embedder.card, self.chunker),
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


def _require(folder: Path) -> None:
    if (folder / CATALOG).exists():
        return
    if (folder / "lexical").exists():
        raise StoreError(
            f"the catalog of the index in {folder} is gone: `rag restore FILE` brings back a backup, "
            "`rag ingest FOLDER` makes it anew"
        )
    raise StoreError(f"there is no index in {folder}{_above(folder)}: `rag ingest FOLDER` makes one")


def _above(folder: Path) -> str:
    """A command that runs in a folder of the project does not see the index at its top."""
    if folder.is_absolute():
        return ""
    found = next((up / folder for up in Path.cwd().parents if (up / folder / CATALOG).exists()), None)
    return f", but one in {found}, to be used by RAG_STORE__PATH={found}" if found else ""
