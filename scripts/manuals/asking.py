"""Every question of a collection, asked through `rag.ask`, and what came of each."""

from __future__ import annotations

import hashlib
import inspect
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from manuals.questions import ManualQuestion
from manuals.quotes import misquoted, readings
from manuals.visible import READABLE, read_visible
from manuals.wording import says
from rag import Rag, Settings
from rag.answers.confidence import UNSURE
from rag.answers.disagreement import DISAGREE
from rag.types import Answer, Chunk, Document

# What decides which passages an index holds. Whoever changes one of these measures with a new index.
_CODE = ("loaders", "chunkers", "markdown.py", "ingest.py", "index/fingerprint.py")
# Lines of an answer that the product says itself, in a paragraph of quotations.
_OWN = (DISAGREE, UNSURE)


@dataclass(frozen=True, slots=True)
class Collection:
    """`documents`: a folder, or a corpus.jsonl."""

    name: str
    documents: Path
    questions: tuple[ManualQuestion, ...]

    def page(self, source: str) -> str:
        """A source's name in the questions."""
        if self.documents.suffix == ".jsonl":
            return source.rpartition("#")[2]
        return source.rpartition(f"{self.documents.name}/")[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`gold`: of each passage, whether its page holds the fact. `right`: the text says the fact."""

    question: ManualQuestion
    text: str
    state: str
    confidence: float
    relevance: float
    gold: tuple[bool, ...]
    fact_in_passages: bool
    right: bool
    misquoted: tuple[str, ...]
    ms: float

    @property
    def answered(self) -> bool:
        return self.state == "answered"

    @property
    def words(self) -> int:
        return len(self.text.split())


def ask_all(collection: Collection, config: Path | None, cache: Path) -> list[Outcome]:
    rag = _opened(collection, config, cache)
    documents = [entry.document for entry in rag.assembly.index.catalog.entries()]
    shelf = _Shelf(collection, {document.source: document for document in documents})
    rag.ask("warm")
    return [_outcome(rag, shelf, question) for question in collection.questions]


def best_relevance(answer: Answer) -> float:
    """Of all candidates: where the answer is refused it has no passages."""
    return max((candidate.relevance for candidate in answer.trace.candidates), default=0.0)


def _outcome(rag: Rag, shelf: _Shelf, question: ManualQuestion) -> Outcome:
    start = time.perf_counter()
    answer = rag.ask(question.text)
    ms = (time.perf_counter() - start) * 1000
    chunks = [passage.chunk for passage in answer.passages]
    shown = answer.state != "not_found"
    return Outcome(
        question=question,
        text=answer.text,
        state=answer.state,
        confidence=answer.confidence,
        relevance=best_relevance(answer),
        gold=tuple(shelf.holds(chunk, question) for chunk in chunks),
        fact_in_passages=_says(question, (_read(chunk) for chunk in chunks)),
        right=shown and _says(question, [answer.text]),
        misquoted=misquoted(_quotations(answer.text), shelf.sources(answer)) if shown else (),
        ms=ms,
    )


def _quotations(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line not in _OWN)


def _says(question: ManualQuestion, texts: Iterable[str]) -> bool:
    return bool(question.fact) and any(says(text, question.fact) for text in texts)


def _read(chunk: Chunk) -> str:
    return "\n".join((*chunk.headings, chunk.text))


@dataclass
class _Shelf:
    """The documents as they stand in the index, and their files."""

    collection: Collection
    documents: Mapping[str, Document]

    def holds(self, chunk: Chunk, question: ManualQuestion) -> bool:
        if self.collection.page(chunk.source) not in question.pages:
            return False
        return not question.pdf_pages or not question.pdf_pages.isdisjoint(self._pages(chunk))

    def sources(self, answer: Answer) -> dict[int, tuple[str, ...]]:
        return {c.marker: self._readings(c.source) for c in answer.citations if c.source}

    def _pages(self, chunk: Chunk) -> range:
        starts = self.documents[chunk.source].pages
        last = max(chunk.start, chunk.end - 1)
        return range(bisect_right(starts, chunk.start), bisect_right(starts, last) + 1)

    def _readings(self, source: str) -> tuple[str, ...]:
        if source not in self._known:
            self._known[source] = (*readings(self.documents[source].text), *self._visible(source))
        return self._known[source]

    def _visible(self, source: str) -> tuple[str, ...]:
        path = self.collection.documents / self.collection.page(source)
        return readings(read_visible(path).text) if path.suffix in READABLE and path.is_file() else ()

    @cached_property
    def _known(self) -> dict[str, tuple[str, ...]]:
        return {}


def _opened(collection: Collection, config: Path | None, cache: Path) -> Rag:
    """With the collection's index brought up to date."""
    settings = Settings.load(config)
    path = cache / "index" / f"{collection.name}-{_fingerprint(settings)}"
    store = settings.store.model_copy(update={"path": path})
    rag = Rag(settings.model_copy(update={"store": store}))
    rag.ingest(collection.documents)
    return rag


def _fingerprint(settings: Settings) -> str:
    made = hashlib.sha256()
    for section in (settings.loader, settings.chunker, settings.embedder):
        made.update(section.model_dump_json().encode())
    root = Path(inspect.getfile(Rag)).parent
    for part in _CODE:
        for file in sorted((root / part).rglob("*.py")) or [root / part]:
            made.update(file.read_bytes() if file.exists() else b"")
    return made.hexdigest()[:12]
