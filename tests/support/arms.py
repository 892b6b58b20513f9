"""Evaluations without an index: questions whose rankings, answers and mishaps are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag.contract import error_json
from rag.errors import TransientError
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.naming import Naming
from rag.evaluation.scoring import Evaluation, Options, score
from rag.types import CandidateTrace, RerankTrace, Stage, Trace

RECORD: dict[str, Any] = {
    "started": "2026-01-02T03:04:05+00:00",
    "versions": {"rag": "0.1.0", "python": "3.11.7"},
    "settings": {"retriever": {"top_n": 50}},
    "models": {
        "embedder": {"name": "words"},
        "retriever": "hybrid",
        "reranker": {"kind": "listed", "model": ""},
        "calibration": {"fitted_on": ""},
        "threshold": 0.02,
        "generator": "extractive",
    },
    "index": {"documents": 9, "chunks": 9, "fingerprint": "words@1"},
}
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
    status: str = "ok",
    ms: float = 10.0,
    **changes: Any,
) -> dict[str, Any]:
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
    trace = asdict(Trace(stages=stages, rerank=RerankTrace("listed", ""), candidates=rows))
    trace["rerank"] |= {"status": status, "reason": "the service did not answer" if status != "ok" else ""}
    text = "It is so [1]." if found else "The documents do not answer this question."
    told = {"question": id_, "found": found, "text": text, "citations": [], "passages": []}
    return {"_id": id_, **told, "trace": trace, **changes}


def failed(id_: str) -> dict[str, Any]:
    error = TransientError("Cohere did not answer in time", provider="Cohere")
    return {"_id": id_, "question": id_, **error_json(error)}


def with_relevant_at(place: int) -> tuple[str, ...]:
    """Ten documents, d0.md at this place."""
    others = list(DOCUMENTS[1:])
    return (*others[: place - 1], DOCUMENTS[0], *others[place - 1 :])


def evaluation(
    lines: Sequence[Mapping[str, Any]],
    config: str = "a.yaml",
    questions: Sequence[LabelledQuestion] | None = None,
    folder: Path = Path("out"),
    **options: Any,
) -> Evaluation:
    asked = questions or [question(one["_id"]) for one in lines]
    chosen = Options(**options)
    dataset, named = Dataset("small", tuple(asked)), Naming("")
    scored = score(dataset, [dict(one) for one in lines], named, chosen.k, 50)
    return Evaluation(config, dataset, chosen, named, scored, RECORD, folder)


def arm(config: str, places: Sequence[int], **options: Any) -> Evaluation:
    """The relevant document before at place 3, after at these places, question by question."""
    lines = [
        line(f"q{i:03}", before=with_relevant_at(3), after=with_relevant_at(place))
        for i, place in enumerate(places)
    ]
    return evaluation(lines, config, **options)
