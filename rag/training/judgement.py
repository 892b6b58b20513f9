"""Is the trained model better? Asked of the whole pipeline, on questions that have chosen nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.api import Rag
from rag.calibration import Calibration
from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.metrics import Scores, by_document, mean, score_rankings
from rag.evaluation.naming import Naming
from rag.evaluation.statistics import Difference, difference
from rag.evaluation.verdict import Verdict, judge
from rag.protocols import Progress

METRIC = "ndcg@10"
_EFFECT = 0.02


@dataclass(frozen=True, slots=True)
class Ranked:
    """Each question's scores, as the first stage ranks and as the whole pipeline does."""

    first: dict[str, Scores]
    whole: dict[str, Scores]


@dataclass(frozen=True, slots=True)
class Judgement:
    """On the same questions before and after training; `first_stage`: the gain of the first stage alone."""

    before: float
    after: float
    gain: Difference
    first_stage: Difference
    verdict: Verdict

    @property
    def better(self) -> bool:
        return self.verdict.word == "adopt"


def rank(
    rag: Rag,
    questions: Sequence[LabelledQuestion],
    named: Naming,
    progress: Progress,
    calibration: Calibration | None = None,
) -> Ranked:
    """`calibration`: another than the pipeline's own."""
    pipeline = replace(rag.pipeline, calibration=calibration) if calibration else rag.pipeline
    first, whole = {}, {}
    encoded = pipeline.encode_many([question.text for question in questions])
    for done, (question, asked) in enumerate(zip(questions, encoded, strict=True), start=1):
        candidates = pipeline.retrieve(asked)
        passages, _ = pipeline.rerank(asked, candidates)
        first[question.id] = by_document(named.document(c.chunk.source) for c in candidates)
        whole[question.id] = by_document(named.document(p.chunk.source) for p in passages)
        progress("judge", done, len(questions))
    grades = {question.id: question.relevant for question in questions}
    depth = rag.settings.retriever.top_n
    return Ranked(score_rankings(first, grades, 10, depth), score_rankings(whole, grades, 10, depth))


def judge_ranked(before: Ranked, after: Ranked, seed: int) -> Judgement:
    gain = _gain(before.whole, after.whole, seed)
    return Judgement(
        before=mean(before.whole)[METRIC],
        after=mean(after.whole)[METRIC],
        gain=gain,
        first_stage=_gain(before.first, after.first, seed),
        verdict=judge(gain, gain.p, METRIC, _EFFECT),
    )


def _gain(before: dict[str, Scores], after: dict[str, Scores], seed: int) -> Difference:
    ids = list(before)
    return difference([before[id_][METRIC] for id_ in ids], [after[id_][METRIC] for id_ in ids], seed)
