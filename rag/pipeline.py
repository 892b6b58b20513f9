"""The whole product on one screen: retrieve → rerank → select → read → generate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from rag.answers.citations import cite
from rag.answers.prompt import NOT_FOUND
from rag.answers.reader import Reader
from rag.calibration import Calibration
from rag.errors import InputError
from rag.filters import Where
from rag.protocols import Embedder, Generator, Reranker, Retriever
from rag.second_stage.rank import Calibrations, rerank
from rag.selection import Rule, select
from rag.trace import refused, trace_candidates
from rag.types import (
    Answer,
    Candidate,
    GenerateTrace,
    Passage,
    Question,
    ReadTrace,
    Reply,
    RerankerCard,
    RerankTrace,
    SearchResult,
    Selection,
    Stage,
    Trace,
)

# Longer ones are pasted documents: neither BM25 nor a bi-encoder makes sense of them.
MOST_CHARACTERS = 10_000
# Questions of a list that are asked at the same time.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The hops of a question. Immutable, so any number of threads may ask at once.

    `others`: calibrations of the rerankers that may score in place of `reranker`, or before it.
    """

    embedder: Embedder
    retriever: Retriever
    reranker: Reranker
    calibration: Calibration
    rule: Rule
    generator: Callable[[], Generator]
    others: Calibrations = field(default_factory=dict)
    reader: Reader | None = None

    def ask(self, text: str, where: Where | None = None) -> Answer:
        (question,), encoded = self._encode([text])
        return self._ask(question, encoded, where)

    def ask_many(self, texts: Sequence[str], where: Where | None = None) -> list[Answer]:
        """Answers in the order of the questions. They are encoded together, and some are asked at the
        same time: their passages share a local model's batches, and services answer side by side."""
        questions, encoded = self._encode(texts)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(lambda question: self._ask(question, encoded, where), questions))

    def stream(self, text: str, where: Where | None = None) -> Iterator[str | Answer]:
        """Pieces of the answer as they come, and last the whole Answer."""
        (question,), encoded = self._encode([text])
        found = self.read(question, self._search(question, encoded, where))
        if not found.passages:
            yield NOT_FOUND
            yield self._nothing(found)
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
        (question,), encoded = self._encode([text])
        return self._search(question, encoded, where)

    def encode(self, text: str) -> Question:
        """The question, checked and encoded once for all stages."""
        return self._encode([text])[0][0]

    def encode_many(self, texts: Sequence[str]) -> list[Question]:
        """All in one pass."""
        return self._encode(texts)[0]

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]:
        return self.retriever.retrieve(question, where)

    def rerank(
        self, question: Question, candidates: Sequence[Candidate]
    ) -> tuple[Sequence[Passage], RerankTrace]:
        return rerank(self.reranker, self.calibration, question, candidates, self.others)

    def select(self, passages: Sequence[Passage]) -> Selection:
        return select(passages, self.rule)

    def read(self, question: Question, found: SearchResult) -> SearchResult:
        """What was found, or nothing where the reader sees no answer in it."""
        if self.reader is None or not found.passages:
            return found
        timer = _Timer()
        reading = self.reader.read(question.text, found.passages)
        kept = () if reading.refuses else found.passages
        trace = replace(
            found.trace,
            stages=(*found.trace.stages, timer.stage("read", len(kept))),
            read=reading,
            candidates=refused(found.trace.candidates, reading)
            if reading.refuses
            else found.trace.candidates,
            notes=(*found.trace.notes, *_read_notes(reading)),
        )
        return SearchResult(found.question, kept, trace)

    def _encode(self, texts: Sequence[str]) -> tuple[list[Question], Stage]:
        """Together, in one pass; the stage gives each its share of the time."""
        timer = _Timer()
        cleaned = [_clean(text) for text in texts]
        vectors = self.embedder.embed_questions(cleaned) if cleaned else []
        questions = [Question(text, vector) for text, vector in zip(cleaned, vectors, strict=True)]
        stage = timer.stage("encode", 1)
        return questions, replace(stage, ms=round(stage.ms / max(len(texts), 1), 3))

    def _ask(self, question: Question, encoded: Stage, where: Where | None) -> Answer:
        found = self.read(question, self._search(question, encoded, where))
        if not found.passages:
            return self._nothing(found)
        timer = _Timer()
        reply = self.generator().generate(question, found.passages)
        return self._answer(question, found, reply, timer.stage("generate", 1))

    def _search(self, question: Question, encoded: Stage, where: Where | None) -> SearchResult:
        timer = _Timer()
        stages = [encoded]
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
            candidates=trace_candidates(passages, selection),
            notes=self._notes(reranked),
        )
        return SearchResult(question.text, selection.kept, trace)

    def _nothing(self, found: SearchResult) -> Answer:
        """Nothing is relevant enough: an honest answer, and no generator is called."""
        return Answer(found.question, NOT_FOUND, "not_found", (), (), found.trace)

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
            state="not_found" if _is_refusal(text) else "answered",
            passages=found.passages,
            citations=citations,
            trace=trace,
            notice=reply.notice,
            confidence=max(passage.relevance for passage in found.passages),
        )

    def _notes(self, reranked: RerankTrace) -> tuple[str, ...]:
        notes = []
        if not reranked.candidates:
            notes.append("the first stage found nothing: `rag status` shows what the index holds")
        if reranked.encoded:
            notes.append(f"{reranked.encoded} passages were encoded on the spot: no such tokens are kept")
        if reranked.truncated:
            notes.append(f"{reranked.truncated} passages were cut to the reranker's window")
        used = self.others.get(RerankerCard(reranked.kind, reranked.model), self.calibration)
        if used.warning:
            notes.append(used.warning)
        if not used.fitted_on:
            notes.append(
                f"relevance is not calibrated for {used.name}: a threshold of another reranker "
                "does not carry over"
            )
        return tuple(notes)


def _read_notes(reading: ReadTrace) -> Iterator[str]:
    if reading.status == "skipped":
        yield f"the reader did not read: {reading.reason}"
    if reading.cut:
        yield f"{reading.cut} passages were cut to the reader's window"


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
