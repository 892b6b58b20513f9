"""What came of a run's questions, counted and timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rag.runs.journal import AnswerLine
from rag.runs.questions import AskedQuestion
from rag.second_stage.guards.price import Price


def counts(questions: Sequence[AskedQuestion], answers: Sequence[AnswerLine]) -> dict[str, Any]:
    """How the questions fared; apart for those of which the file says whether they can be answered."""
    expected = {question.id: question.answerable for question in questions}
    split = {
        name: outcomes([answer for answer in answers if expected[answer["_id"]] is able])
        for name, able in (("answerable", True), ("unanswerable", False))
    }
    return {**outcomes(answers), **{name: fared for name, fared in split.items() if fared["questions"]}}


def stage_times(answers: Iterable[AnswerLine]) -> dict[str, dict[str, float]]:
    """Milliseconds of each stage, over the answers that came."""
    taken: dict[str, list[float]] = {}
    for answer in answers:
        stages = answer["trace"]["stages"] if "error" not in answer else []
        for stage in stages:
            taken.setdefault(stage["name"], []).append(stage["ms"])
        if stages:
            taken.setdefault("total", []).append(sum(stage["ms"] for stage in stages))
    return {name: _percentiles(taken[name]) for name in sorted(taken, key=lambda name: name == "total")}


def spent(answers: Iterable[AnswerLine], writing: Price | None = None) -> dict[str, Any]:
    """How reranking went, and what hosted parts billed, over the answers that came.

    `writing` is the price of the generator's tokens; a reranker's scores bring their own cost.
    """
    traces = [answer["trace"] for answer in answers if "error" not in answer]
    reranked = [trace["rerank"] for trace in traces if trace["rerank"]]
    written = [trace["generate"] for trace in traces if trace["generate"]]
    tokens = {
        name: sum(generate[name] or 0 for generate in written)
        for name in ("prompt_tokens", "completion_tokens")
    }
    costs = [rerank["cost"] for rerank in reranked if rerank["cost"] is not None]
    return {
        "rerank": {
            "statuses": dict(sorted(Counter(rerank["status"] for rerank in reranked).items())),
            **{name: sum(rerank[name] for rerank in reranked) for name in ("units", "tokens", "cached")},
            "cost": sum(costs) if costs else None,
        },
        "generate": {**tokens, "cost": writing.of(0.0, sum(tokens.values())) if writing else None},
    }


def outcomes(answers: Sequence[AnswerLine]) -> dict[str, int]:
    failed = sum("error" in answer for answer in answers)
    found = sum(bool(answer.get("found")) for answer in answers)
    return {
        "questions": len(answers),
        "found": found,
        "not_found": len(answers) - found - failed,
        "failed": failed,
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    middle, high = np.percentile(values, [50, 95])
    return {"p50": round(float(middle), 2), "p95": round(float(high), 2)}
