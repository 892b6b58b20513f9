"""What the questions of a dataset got: rankings scored, answers judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import InputError
from rag.evaluation.answers import AnswerScore, score_answer
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.metrics import Scores, by_document, mean, score_rankings
from rag.evaluation.naming import Naming
from rag.evaluation.reliability import one_passage_a_document
from rag.evaluation.separation import Asked
from rag.evaluation.statistics import Difference, Interval, difference, interval
from rag.evaluation.verdict import Verdict, judge
from rag.runs.journal import AnswerLine
from rag.runs.outcomes import stage_times

_WHOLE = ("ok", "skipped")


@dataclass(frozen=True, slots=True)
class Options:
    """`effect`: the least gain that would be worth a change. `indexes`: where documents that a dataset
    brings along are indexed, apart from the user's own."""

    sample: int | None = None
    seed: int = 0
    k: int = 10
    effect: float = 0.02
    answers: bool = True
    indexes: Path = Path("runs/indexes")


@dataclass(frozen=True, slots=True)
class Scored:
    """One question. `before` and `after` reranking are empty where nobody has said which documents answer
    it. `failed` and `degraded` say what went wrong, if anything."""

    question: LabelledQuestion
    line: AnswerLine
    before: Scores
    after: Scores
    answer: AnswerScore | None
    failed: str = ""
    degraded: str = ""

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """The candidates as rows, best first."""
        rows = () if self.failed else self.line["trace"]["candidates"]
        return sorted(rows, key=lambda row: row["rerank_rank"])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`record` is what stands in run.json: what made the answers."""

    config: str
    dataset: Dataset
    options: Options
    naming: Naming
    scored: tuple[Scored, ...]
    record: Mapping[str, Any]
    folder: Path

    @property
    def metric(self) -> str:
        """The one that decides; the others are looked at."""
        return f"ndcg@{self.options.k}"

    @property
    def ranked(self) -> tuple[Scored, ...]:
        """The questions whose ranking can be judged."""
        return tuple(one for one in self.scored if one.after)

    @property
    def failed(self) -> int:
        return sum(bool(one.failed) for one in self.scored)

    @property
    def degraded(self) -> int:
        return sum(bool(one.degraded) for one in self.scored)

    def means(self, which: str) -> Scores:
        """Which: before or after."""
        return mean({one.question.id: getattr(one, which) for one in self.ranked})

    def interval(self, which: str) -> Interval:
        return interval([getattr(one, which)[self.metric] for one in self.ranked], self.options.seed)

    def gain(self, metric: str | None = None) -> Difference:
        """Of reranking over the first stage's order."""
        name = metric or self.metric
        rows = self.ranked
        return difference(
            [one.before[name] for one in rows], [one.after[name] for one in rows], self.options.seed
        )

    def verdict(self) -> Verdict:
        found = self.gain()
        return judge(found, found.p, self.metric, self.options.effect)

    def judged(self) -> list[Asked]:
        """Each question's passages whose relevance somebody has judged, with what was predicted."""
        return [
            _judged(one, self.naming)
            for one in self.scored
            if not one.failed and one.question.can_be_answered is not None
        ]

    def latency(self) -> dict[str, dict[str, float]]:
        return stage_times(one.line for one in self.scored)


def score(
    dataset: Dataset, lines: Sequence[AnswerLine], named: Naming, k: int, depth: int
) -> tuple[Scored, ...]:
    good = [(q, line) for q, line in zip(dataset.questions, lines, strict=True) if "error" not in line]
    grades = {q.id: q.relevant for q, _ in good if q.labelled}
    by = {
        rank: score_rankings(
            {q.id: ranking(line, rank, named) for q, line in good if q.labelled}, grades, k, depth
        )
        for rank in ("fused_rank", "rerank_rank")
    }
    return tuple(
        _failure(question, line)
        if "error" in line
        else Scored(
            question,
            line,
            by["fused_rank"].get(question.id, {}),
            by["rerank_rank"].get(question.id, {}),
            score_answer(question, line),
            degraded=_degraded(line),
        )
        for question, line in zip(dataset.questions, lines, strict=True)
    )


def ranking(line: AnswerLine, rank: str, named: Naming) -> list[str]:
    """The documents in the order of this rank, each by its best passage."""
    rows = sorted(line["trace"]["candidates"], key=lambda row: row[rank])
    return by_document(named.document(row["source"]) for row in rows)


def _failure(question: LabelledQuestion, line: AnswerLine) -> Scored:
    error = line["error"]
    return Scored(question, line, {}, {}, None, failed=f"{error['type']}: {error['message']}")


def _degraded(line: AnswerLine) -> str:
    """A question that another than the configured reranker answered says nothing of the configured one."""
    rerank = line["trace"].get("rerank") or {}
    status = rerank.get("status", "ok")
    return "" if status in _WHOLE else f"{status}: {rerank.get('reason') or 'no reason given'}"


def explain_flaws(evaluation: Evaluation) -> str:
    """What went wrong, most frequent first; empty where nothing did."""
    flaws = Counter(one.failed or one.degraded for one in evaluation.scored if one.failed or one.degraded)
    told = [f"{count} × {flaw}" for flaw, count in flaws.most_common(3)]
    more = f"; and {len(flaws) - 3} other reasons" if len(flaws) > 3 else ""
    return "; ".join(told) + more


def check_judged(evaluation: Evaluation) -> None:
    """Without a judged question there is no ranking to compare."""
    if not evaluation.ranked:
        raise InputError(
            f"the dataset {evaluation.dataset.name} says of no question which documents answer it: "
            "give qrels/<split>.tsv, or `relevant` in its lines"
        )


def _judged(one: Scored, named: Naming) -> Asked:
    rows, grades = one.candidates, one.question.relevant
    documents = [named.document(row["source"]) for row in rows]
    relevances = [float(row["relevance"]) for row in rows]
    known = one_passage_a_document(documents, grades, relevances)
    read = one.line["trace"].get("read") or {}
    return Asked(
        bool(one.question.can_be_answered),
        np.array([relevances[i] for i in known], dtype=np.float64),
        np.array([grades.get(documents[i], 0) > 0 for i in known], dtype=np.bool_),
        read.get("found"),
    )
