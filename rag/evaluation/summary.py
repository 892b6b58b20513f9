"""An evaluation as the JSON that a file keeps and a machine reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rag.evaluation.answers import summarise
from rag.evaluation.reliability import calibration_error
from rag.evaluation.scoring import Evaluation, Scored
from rag.evaluation.separation import Asked, area, false_answers_at
from rag.evaluation.statistics import Difference
from rag.runs.outcomes import spent


def summary_json(evaluation: Evaluation) -> dict[str, Any]:
    verdict, gain = evaluation.verdict(), evaluation.gain()
    scored = [one.answer for one in evaluation.scored if one.answer]
    before, after = evaluation.interval("before"), evaluation.interval("after")
    return {
        "dataset": evaluation.dataset.name,
        "config": evaluation.config,
        "questions": len(evaluation.scored),
        "ranked": len(evaluation.ranked),
        "failed": evaluation.failed,
        "degraded": evaluation.degraded,
        "synthetic": evaluation.dataset.synthetic,
        "before": _rounded(evaluation.means("before")),
        "after": _rounded(evaluation.means("after")),
        "intervals": {
            name: [round(found.low, 6), round(found.high, 6)]
            for name, found in (("before", before), ("after", after))
            if evaluation.ranked
        },
        "gain": _gain_json(gain),
        "verdict": {"word": verdict.word, "text": verdict.text, "needed": verdict.needed},
        "answers": _rounded(summarise(scored)),
        "relevance": _relevance_json(evaluation.judged()),
        "latency_ms": evaluation.latency(),
        "cost": cost(evaluation.scored),
        "missing_documents": list(evaluation.naming.missing),
        "folder": str(evaluation.folder),
    }


def question_json(one: Scored) -> dict[str, Any]:
    """A line of questions.jsonl."""
    return {
        "_id": one.question.id,
        "text": one.question.text,
        "kind": one.question.kind,
        "answerable": one.question.can_be_answered,
        "before": _rounded(one.before),
        "after": _rounded(one.after),
        "found": one.answer.found if one.answer else None,
        "exact_match": one.answer.exact if one.answer else None,
        "f1": _round(one.answer.f1) if one.answer else None,
        "ms": round(sum(stage["ms"] for stage in one.line["trace"]["stages"]), 3) if not one.failed else None,
        "failed": one.failed,
        "degraded": one.degraded,
    }


def cost(scored: Iterable[Scored]) -> dict[str, float | int | None]:
    """What hosted services bill: search units and tokens of rerankers, tokens of language models. In money
    where the trace knows a price, else None."""
    lines = [one.line for one in scored if not one.failed]
    billed = spent(lines)
    rerank, generate = billed["rerank"], billed["generate"]
    return {
        "rerank_units": _round(rerank["units"]),
        "rerank_units_per_question": _round(rerank["units"] / len(lines)) if lines else 0.0,
        "rerank_cost": _round(rerank["cost"]),
        "prompt_tokens": generate["prompt_tokens"],
        "completion_tokens": generate["completion_tokens"],
    }


def _gain_json(gain: Difference) -> dict[str, float | int]:
    return {
        "mean": round(gain.mean, 6),
        "low": round(gain.low, 6),
        "high": round(gain.high, 6),
        "p": round(gain.p, 6),
        "wins": gain.wins,
        "ties": gain.ties,
        "losses": gain.losses,
    }


def _relevance_json(asked: Sequence[Asked]) -> dict[str, float | int | None]:
    """How far relevance can be trusted, and whether any threshold tells who has an answer."""
    predicted = np.concatenate([one.relevance for one in asked]) if asked else np.empty(0)
    relevant = np.concatenate([one.relevant for one in asked]) if asked else np.empty(0, dtype=np.bool_)
    separation = area(asked)
    return {
        "passages": len(predicted),
        "calibration_error": _round(calibration_error(predicted, relevant)),
        "separation": _round(separation),
        "false_answers_at_90": _round(false_answers_at(asked, 0.9)) if separation is not None else None,
    }


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _round(value) for name, value in values.items()}


def _round(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
