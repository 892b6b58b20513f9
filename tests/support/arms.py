"""Evaluations without an index: questions whose rankings, answers and mishaps are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.calibration import Calibration
from rag.contract import error_json
from rag.errors import TransientError
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.naming import Naming
from rag.evaluation.scoring import Evaluation, Options, score
from rag.runs.line import AnswerLine
from rag.runs.provenance import IndexState, Models, Provenance
from rag.types import CandidateTrace, EmbedderCard, RerankerCard, RerankStatus, RerankTrace, Stage, Trace

PROVENANCE = Provenance(
    identity="0",
    versions={"rag": "0.1.0", "python": "3.11.7"},
    settings={},
    models=Models(
        embedder=EmbedderCard("words", "1", 64, 256),
        retriever="hybrid",
        reranker=RerankerCard("listed"),
        calibration=Calibration("as it stands", {"score": 1.0}),
        threshold=0.02,
        generator="extractive",
    ),
    index=IndexState("words@1", "0", documents=9, chunks=9),
)
STARTED = "2026-01-02T03:04:05+00:00"
DOCUMENTS = tuple(f"d{i}.md" for i in range(10))


def question(id_: str, relevant: str = "d0.md", **changes: Any) -> LabelledQuestion:
    grades = {relevant: 1} if relevant else {}
    asked = {"_id": id_, "text": f"Question {id_}?", "relevant": grades, **changes}
    return LabelledQuestion.model_validate(asked)


def line(
    id_: str,
    before: Sequence[str] = DOCUMENTS,
    after: Sequence[str] = DOCUMENTS,
    found: bool = True,
    status: RerankStatus = "ok",
    ms: float = 10.0,
    **changes: Any,
) -> AnswerLine:
    rows = tuple(
        CandidateTrace(
            id=f"c-{name}",
            source=name,
            dense_rank=before.index(name) + 1,
            lexical_rank=None,
            fused_rank=before.index(name) + 1,
            rerank_rank=place,
            score=1.0 / place,
            relevance=1.0 / (place + 1),
            moved=before.index(name) + 1 - place,
            kept=place <= 5,
            reason="" if place <= 5 else "beyond top_k 5",
        )
        for place, name in enumerate(after, start=1)
    )
    stages = tuple(Stage(name, ms, 1) for name in ("encode", "retrieve", "rerank", "select"))
    reason = "the service did not answer" if status != "ok" else ""
    trace = Trace(stages=stages, rerank=RerankTrace("listed", "", status, reason), candidates=rows)
    text = "It is so [1]." if found else "The documents do not answer this question."
    return replace(AnswerLine(id_, id_, found=found, text=text, citations=(), trace=trace), **changes)


def failed(id_: str) -> AnswerLine:
    error = TransientError("Cohere did not answer in time", provider="Cohere")
    return AnswerLine.of(id_, {"question": id_, **error_json(error)})


def with_relevant_at(place: int) -> tuple[str, ...]:
    """Ten documents, d0.md at this place."""
    others = list(DOCUMENTS[1:])
    return (*others[: place - 1], DOCUMENTS[0], *others[place - 1 :])


def evaluation(
    lines: Sequence[AnswerLine],
    config: str = "a.yaml",
    questions: Sequence[LabelledQuestion] | None = None,
    folder: Path = Path("out"),
    **options: Any,
) -> Evaluation:
    asked = questions or [question(one.id) for one in lines]
    chosen = Options(**options)
    dataset, named = Dataset("small", tuple(asked)), Naming("")
    scored = score(dataset, lines, named, chosen.k, 50)
    return Evaluation(config, dataset, chosen, named, scored, PROVENANCE, STARTED, 50, folder)


def arm(config: str, places: Sequence[int], **options: Any) -> Evaluation:
    """The relevant document before at place 3, after at these places, question by question."""
    lines = [
        line(f"q{i:03}", before=with_relevant_at(3), after=with_relevant_at(place))
        for i, place in enumerate(places)
    ]
    return evaluation(lines, config, **options)
