"""The whole product on one screen: retrieve → rerank → select → generate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.calibration import Calibration
from rag.errors import InputError
from rag.filters import Where
from rag.ledger import ledger
from rag.prompt import NOT_FOUND, cite
from rag.protocols import Embedder, Generator, Reranker, Retriever
from rag.reranking import rerank
from rag.selection import Rule, select
from rag.types import (
    Answer,
    Candidate,
    GenerateTrace,
    Passage,
    Question,
    Reply,
    RerankTrace,
    SearchResult,
    Selection,
    Stage,
    Trace,
)

# Longer ones are pasted documents: neither BM25 nor a bi-encoder makes sense of them.
MOST_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The five hops of a question. Immutable, so any number of threads may ask at once."""

    embedder: Embedder
    retriever: Retriever
    reranker: Reranker
    calibration: Calibration
    rule: Rule
    generator: Callable[[], Generator]

    def ask(self, text: str, where: Where | None = None) -> Answer:
        return _last(self.stream(text, where))

    def stream(self, text: str, where: Where | None = None) -> Iterator[str | Answer]:
        """Pieces of the answer as they come, and last the whole Answer."""
        question, found = self._search(text, where)
        if not found.passages:
            yield NOT_FOUND
            yield Answer(question.text, NOT_FOUND, False, (), (), found.trace)
            return
        timer = _Timer()
        reply = Reply("")
        for piece in self.generator().stream(question, found.passages):
            if isinstance(piece, Reply):
                reply = piece
            else:
                yield piece
        yield self._answer(question, found, reply, timer.stage("generate", 1))

    def search(self, text: str, where: Where | None = None) -> SearchResult:
        return self._search(text, where)[1]

    def encode(self, text: str) -> Question:
        """The question, checked and encoded once for all stages."""
        cleaned = _clean(text)
        return Question(cleaned, self.embedder.embed_question(cleaned))

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]:
        return self.retriever.retrieve(question, where)

    def rerank(
        self, question: Question, candidates: Sequence[Candidate]
    ) -> tuple[Sequence[Passage], RerankTrace]:
        return rerank(self.reranker, self.calibration, question, candidates)

    def select(self, passages: Sequence[Passage]) -> Selection:
        return select(passages, self.rule)

    def _search(self, text: str, where: Where | None) -> tuple[Question, SearchResult]:
        timer = _Timer()
        question = self.encode(text)
        stages = [timer.stage("encode", 1)]
        candidates = self.retrieve(question, where)
        stages.append(timer.stage("retrieve", len(candidates)))
        passages, reranked = self.rerank(question, candidates)
        stages.append(timer.stage("rerank", len(passages)))
        selection = self.select(passages)
        stages.append(timer.stage("select", len(selection.kept)))
        trace = Trace(
            stages=tuple(stages),
            embedder=self.embedder.card.name,
            retriever=self.retriever.name,
            rerank=reranked,
            ledger=ledger(passages, selection),
            notes=self._notes(reranked),
        )
        return question, SearchResult(question.text, selection.kept, trace)

    def _answer(self, question: Question, found: SearchResult, reply: Reply, stage: Stage) -> Answer:
        generated = GenerateTrace(
            self.generator().name,
            reply.written_by,
            reply.finish,
            reply.prompt_tokens,
            reply.completion_tokens,
        )
        trace = replace(found.trace, stages=(*found.trace.stages, stage), generate=generated)
        text = reply.text if reply.text.strip() else NOT_FOUND
        citations = cite(text, found.passages, question.text)
        return Answer(
            question=question.text,
            text=text,
            found=not _is_refusal(text),
            passages=found.passages,
            citations=citations,
            trace=trace,
            notice=reply.notice,
        )

    def _notes(self, reranked: RerankTrace) -> tuple[str, ...]:
        notes = []
        if reranked.status == "skipped":
            notes.append("the first stage found nothing: `rag status` shows what the index holds")
        if reranked.encoded:
            notes.append(f"{reranked.encoded} passages were encoded on the spot: no such tokens are kept")
        if reranked.truncated:
            notes.append(f"{reranked.truncated} passages were cut to the reranker's window")
        if not self.calibration.fitted_on:
            notes.append(
                f"relevance is not calibrated for {self.calibration.name}: a threshold of another reranker "
                "does not carry over"
            )
        return tuple(notes)


def _is_refusal(text: str) -> bool:
    """The model was told to say exactly this where the passages do not hold the answer."""
    return text.strip().strip("\"'.").casefold() == NOT_FOUND.rstrip(".").casefold()


class _Timer:
    """Time since the last stage."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def stage(self, name: str, count: int) -> Stage:
        now = time.perf_counter()
        taken, self._last = now - self._last, now
        return Stage(name, round(taken * 1000, 3), count)


def _clean(text: str) -> str:
    """Without control characters and lone surrogates, which no model reads and no JSON carries."""
    readable = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    cleaned = readable.encode("utf-8", "replace").decode("utf-8").strip()
    if not any(c.isalnum() for c in cleaned):
        raise InputError("the question is empty: ask in words")
    if len(cleaned) > MOST_CHARACTERS:
        raise InputError(
            f"the question has {len(cleaned):,} characters; at most {MOST_CHARACTERS:,} are read"
        )
    return cleaned


def _last(pieces: Iterator[str | Answer]) -> Answer:
    *_, answer = pieces
    if not isinstance(answer, Answer):
        raise TypeError("a stream ends with its Answer")
    return answer
