"""A question on one screen: encode → retrieve → rerank → select → read → generate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from rag.answers.citations import cite, confirm
from rag.answers.confidence import UNSURE, Confidence, Judgement
from rag.answers.prompt import NOT_FOUND, is_refusal
from rag.answers.reader import Reader
from rag.calibration import Calibration
from rag.errors import InputError
from rag.filters import Where
from rag.protocols import Embedder, Generator, Reranker, Retriever
from rag.second_stage.rank import Calibrations, rerank
from rag.selection import Rule, select
from rag.trace import Stopwatch, rerank_notes, trace_candidates, with_reading, with_refusal, with_reply
from rag.types import (
    Answer,
    Candidate,
    Passage,
    Question,
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
    """The stages of a question. Immutable, so any number of threads may ask at once.

    `rule` selects where a call brings none of its own. `others`: calibrations of the rerankers that
    may score in place of `reranker`, or before it. Without `confidence`, whatever is found is an answer.
    `notice`: what there is to say of the index; empty where it is as it would be made today.
    """

    embedder: Embedder
    retriever: Retriever
    reranker: Reranker
    calibration: Calibration
    rule: Rule
    generator: Callable[[], Generator]
    others: Calibrations = field(default_factory=dict)
    reader: Reader | None = None
    notice: Callable[[], str] = str
    confidence: Confidence | None = None

    # --- whole questions ------------------------------------------------------------------

    def ask(self, text: str, where: Where | None = None, rule: Rule | None = None) -> Answer:
        (question,), encoded = self._encode([text])
        return self._ask(question, where, rule, encoded)

    def ask_many(
        self, texts: Sequence[str], where: Where | None = None, rule: Rule | None = None
    ) -> list[Answer]:
        """Answers in the order of the questions. They are encoded together, and some are asked at the
        same time: their passages share a local model's batches, and services answer side by side."""
        questions, encoded = self._encode(texts)

        def ask(question: Question) -> Answer:
            return self._ask(question, where, rule, encoded)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(ask, questions))

    def stream(
        self, text: str, where: Where | None = None, rule: Rule | None = None
    ) -> Iterator[str | Answer]:
        """Pieces of the answer as they come, and last the whole Answer."""
        (question,), encoded = self._encode([text])
        found = self.read(self.find(question, where, rule, encoded))
        judged = self.judge(found)
        if judged.state != "answered":  # what is said first depends on how it ends
            answer = self._generate(question, found, judged)
            yield answer.text
            yield answer
            return
        watch, reply = Stopwatch(), Reply("")
        for piece in self.generator().stream(question, found.passages):
            if isinstance(piece, Reply):
                reply = piece
            else:
                yield piece
        yield self._answer(found, judged, reply, watch.stage("generate", 1))

    def search(self, text: str, where: Where | None = None, rule: Rule | None = None) -> SearchResult:
        (question,), encoded = self._encode([text])
        return self.find(question, where, rule, encoded)

    # --- the stages -----------------------------------------------------------------------

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

    def select(self, passages: Sequence[Passage], rule: Rule | None = None) -> Selection:
        return select(passages, rule or self.rule)

    def find(
        self,
        question: Question,
        where: Where | None = None,
        rule: Rule | None = None,
        encoded: Stage | None = None,
    ) -> SearchResult:
        """retrieve → rerank → select, for a question that is encoded."""
        watch = Stopwatch()
        candidates = self.retrieve(question, where)
        retrieved = watch.stage("retrieve", len(candidates))
        passages, reranked = self.rerank(question, candidates)
        scored = watch.stage("rerank", len(passages))
        selection = self.select(passages, rule)
        selected = watch.stage("select", len(selection.kept))
        used = self.others.get(RerankerCard(reranked.kind, reranked.model), self.calibration)
        trace = Trace(
            stages=(*((encoded,) if encoded else ()), retrieved, scored, selected),
            embedder=self.embedder.card.name,
            retriever=self.retriever.name,
            rerank=reranked,
            candidates=trace_candidates(passages, selection),
            notes=tuple(filter(None, [self.notice(), *rerank_notes(reranked, used)])),
        )
        return SearchResult(question.text, selection.kept, trace)

    def read(self, found: SearchResult) -> SearchResult:
        """What was found, or nothing where the reader sees no answer in it."""
        if self.reader is None or not found.passages:
            return found
        watch = Stopwatch()
        read = self.reader.judge(found.question, found.passages)
        left = 0 if read.trace.refuses else len(found.passages)
        passages = tuple(replace(p, read=read.readings.get(p.chunk.id)) for p in found.passages)
        return with_reading(replace(found, passages=passages), read.trace, watch.stage("read", left))

    def judge(self, found: SearchResult) -> Judgement:
        """Whether what was found and read is an answer."""
        if not found.passages:
            return Judgement(0.0, "not_found")
        if self.confidence is None:
            return Judgement(max(passage.relevance for passage in found.passages), "answered")
        return self.confidence.judge(found.question, found.passages)

    def _encode(self, texts: Sequence[str]) -> tuple[list[Question], Stage]:
        """Together, in one pass; the stage gives each its share of the time."""
        watch = Stopwatch()
        cleaned = [_clean(text) for text in texts]
        vectors = self.embedder.embed_questions(cleaned) if cleaned else []
        questions = [Question(text, vector) for text, vector in zip(cleaned, vectors, strict=True)]
        stage = watch.stage("encode", 1)
        return questions, replace(stage, ms=round(stage.ms / max(len(texts), 1), 3))

    def _ask(self, question: Question, where: Where | None, rule: Rule | None, encoded: Stage) -> Answer:
        found = self.read(self.find(question, where, rule, encoded))
        return self._generate(question, found, self.judge(found))

    def _generate(self, question: Question, found: SearchResult, judged: Judgement) -> Answer:
        if judged.state == "not_found":
            return _nothing(with_refusal(found, judged.confidence), judged.confidence)
        watch = Stopwatch()
        asked = replace(question, doubtful=judged.state == "unsure")
        reply = self.generator().generate(asked, found.passages)
        return self._answer(found, judged, reply, watch.stage("generate", 1))

    def _answer(self, found: SearchResult, judged: Judgement, reply: Reply, stage: Stage) -> Answer:
        text = reply.text if reply.text.strip() else NOT_FOUND
        state = "not_found" if reply.refused or is_refusal(text) else judged.state
        citations = (
            confirm(reply.quotes, found.passages)
            if reply.quotes
            else cite(text, found.passages, found.question)
        )
        return Answer(
            question=found.question,
            text=f"{UNSURE}\n{text}" if state == "unsure" else text,
            state=state,
            passages=found.passages,
            citations=citations,
            trace=with_reply(found.trace, self.generator().name, reply, stage),
            notice=reply.notice,
            confidence=judged.confidence,
        )


def _nothing(found: SearchResult, confidence: float) -> Answer:
    """Nothing is likely enough: an honest answer, and no generator is called."""
    return Answer(found.question, NOT_FOUND, "not_found", (), (), found.trace, confidence=confidence)


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
