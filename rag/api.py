"""What a user holds: one object for an index and the settings it is used with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rag.assembly import Assembly
from rag.feedback import FILE, Feedback, add_feedback, judge
from rag.filters import Where
from rag.progress import Progress, silent
from rag.settings import Settings
from rag.types import (
    Answer,
    Candidate,
    IngestReport,
    Passage,
    Question,
    RerankTrace,
    Scalar,
    SearchResult,
)

if TYPE_CHECKING:
    from rag.pipeline import Pipeline

Filter = Mapping[str, Scalar | Iterable[Scalar]]


class Rag:
    """Ingests, searches and answers. Usable from many threads; models are loaded once."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()
        self.assembly = Assembly(self.settings)
        self._building = Lock()

    @classmethod
    def open(cls, config: str | Path | Settings | None = None) -> Rag:
        """Ready to answer: models loaded, keys checked, index and settings compared."""
        rag = cls(config if isinstance(config, Settings) else Settings.load(config))
        rag.pipeline.generator()
        if rag.pipeline.reader:
            rag.pipeline.reader.load()
        rag.pipeline.embedder.embed_question("warm")
        return rag

    @property
    def pipeline(self) -> Pipeline:
        with self._building:
            return self.assembly.pipeline

    # --- questions ------------------------------------------------------------------------

    def ask(self, question: str, where: Filter | None = None) -> Answer:
        return self.pipeline.ask(question, Where.of(where))

    def ask_many(self, questions: Sequence[str], where: Filter | None = None) -> list[Answer]:
        """Answers in the order of the questions."""
        return self.pipeline.ask_many(questions, Where.of(where))

    def stream(self, question: str, where: Filter | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, and last the whole Answer."""
        return self.pipeline.stream(question, Where.of(where))

    def search(self, question: str, where: Filter | None = None) -> SearchResult:
        return self.pipeline.search(question, Where.of(where))

    def retrieve(self, question: str, where: Filter | None = None) -> Sequence[Candidate]:
        """The first stage alone."""
        return self.pipeline.retrieve(self.pipeline.encode(question), Where.of(where))

    def rerank(self, question: str, candidates: Sequence[Candidate]) -> tuple[Sequence[Passage], RerankTrace]:
        """The second stage alone: every candidate with its relevance, best first."""
        encoded: Question = self.pipeline.encode(question)
        return self.pipeline.rerank(encoded, candidates)

    def feedback(self, answer: Answer, *, good: bool, note: str = "") -> Feedback:
        """Keeps what the user thinks of an answer; of a refusal, whether refusing was right."""
        return add_feedback(self.settings.store.path / FILE, judge(answer, good, note))

    # --- documents ------------------------------------------------------------------------

    def ingest(self, *paths: str | Path, prune: bool = False, progress: Progress = silent) -> IngestReport:
        return self.assembly.ingestor(progress).ingest([Path(path) for path in paths], prune)

    def remove(self, *sources: str) -> list[str]:
        return self.assembly.ingestor().remove(sources)

    def rebuild(self, embed: bool = False, progress: Progress = silent) -> int:
        return self.assembly.ingestor(progress).rebuild(embed)


_opened: dict[Settings, Rag] = {}
_opening = Lock()


def ask(question: str, config: str | Path | Settings | None = None, where: Filter | None = None) -> Answer:
    """One question, one answer. The pipeline stays open: the next call with equal settings loads nothing."""
    settings = config if isinstance(config, Settings) else Settings.load(config)
    with _opening:
        if settings not in _opened:
            _opened[settings] = Rag.open(settings)
    return _opened[settings].ask(question, where)
