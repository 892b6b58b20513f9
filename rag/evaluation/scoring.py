"""What the questions of a dataset got: rankings scored, answers judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

import numpy as np

from rag.errors import InputError
from rag.evaluation.answers import AnswerScore, AnswersSummary, score_answer, summarise_answers
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.metrics import Scores, by_document, mean, score_rankings
from rag.evaluation.naming import Naming
from rag.evaluation.reliability import one_passage_a_document
from rag.evaluation.separation import Asked
from rag.evaluation.statistics import Difference, Interval, difference, interval
from rag.evaluation.verdict import Verdict, judge
from rag.runs.line import AnswerLine
from rag.runs.outcomes import Percentiles, stage_times
from rag.runs.provenance import Provenance
from rag.types import CandidateTrace

_WHOLE = ("ok", "skipped")
Rank = Literal["fused_rank", "rerank_rank"]


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
    def candidates(self) -> list[CandidateTrace]:
        """Best first; none where the question failed."""
        return sort_candidates(self.line, "rerank_rank")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`provenance`: what made the answers. `depth`: so many candidates were asked for."""

    config: str
    dataset: Dataset
    options: Options
    naming: Naming
    scored: tuple[Scored, ...]
    provenance: Provenance
    started: str
    depth: int
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

    def latency(self) -> dict[str, Percentiles]:
        return stage_times(one.line for one in self.scored)

    def answers(self) -> AnswersSummary:
        return summarise_answers([one.answer for one in self.scored if one.answer])


def score(
    dataset: Dataset, lines: Sequence[AnswerLine], named: Naming, k: int, depth: int
) -> tuple[Scored, ...]:
    asked = list(zip(dataset.questions, lines, strict=True))
    judged = [(question, line) for question, line in asked if question.labelled and not line.error]
    grades = {question.id: question.relevant for question, _ in judged}

    def by(rank: Rank) -> dict[str, Scores]:
        rankings = {question.id: rank_documents(line, rank, named) for question, line in judged}
        return score_rankings(rankings, grades, k, depth)

    before, after = by("fused_rank"), by("rerank_rank")
    return tuple(
        Scored(
            question,
            line,
            before.get(question.id, {}),
            after.get(question.id, {}),
            None if line.error else score_answer(question, line),
            failed=str(line.error or ""),
            degraded=_explain_stand_in(line),
        )
        for question, line in asked
    )


def sort_candidates(line: AnswerLine, rank: Rank) -> list[CandidateTrace]:
    return sorted(line.trace.candidates, key=attrgetter(rank))


def rank_documents(line: AnswerLine, rank: Rank, named: Naming) -> list[str]:
    """The documents in the order of this rank, each by its best passage."""
    rows = sort_candidates(line, rank)
    return by_document(named.document(source) for row in rows for source in (row.source, *row.also))


def _explain_stand_in(line: AnswerLine) -> str:
    """A question that another than the configured reranker answered says nothing of the configured one."""
    rerank = line.trace.rerank
    if rerank is None or rerank.status in _WHOLE:
        return ""
    return f"{rerank.status}: {rerank.reason or 'no reason given'}"


def explain_flaws(evaluation: Evaluation) -> str:
    """What went wrong, most frequent first; empty where nothing did."""
    flaws = Counter(one.failed or one.degraded for one in evaluation.scored if one.failed or one.degraded)
    frequent = [f"{count} × {flaw}" for flaw, count in flaws.most_common(3)]
    more = f"; and {len(flaws) - 3} other reasons" if len(flaws) > 3 else ""
    return "; ".join(frequent) + more


def check_judged(evaluation: Evaluation) -> None:
    """Without a judged question there is no ranking to compare."""
    if not evaluation.ranked:
        raise InputError(
            f"the dataset {evaluation.dataset.name} says of no question which documents answer it: "
            "give qrels/<split>.tsv, or `relevant` in its lines"
        )


def _judged(one: Scored, named: Naming) -> Asked:
    rows, grades = one.candidates, one.question.relevant
    documents = [named.document(row.source) for row in rows]
    relevances = [row.relevance for row in rows]
    known = one_passage_a_document(documents, grades, relevances)
    read = one.line.trace.read
    read_alone = read.found if read else None
    return Asked(
        bool(one.question.can_be_answered),
        np.array([relevances[i] for i in known], dtype=np.float64),
        np.array([grades.get(documents[i], 0) > 0 for i in known], dtype=np.bool_),
        read_alone if one.line.confidence is None else one.line.confidence,
    )
