"""A quick reranker before a slow one."""

from __future__ import annotations

from support.builders import RAW, candidates
from support.scripted import QUESTION, Fixed, Told, kinds

from rag.calibration import Calibration
from rag.second_stage.guards.cascade import Cascade
from rag.second_stage.rank import rerank
from rag.types import NOBODY, RerankerCard, Scores


def test_a_quick_reranker_passes_its_best_on_and_the_rest_stays_below() -> None:
    first, then = Told("quick", float), Told("sharp")
    scores = Cascade(first, 2, then).score(QUESTION, candidates(5))
    assert then.asked == [[4, 5]]
    assert kinds(scores) == ["quick", "quick", "quick", "sharp", "sharp"]
    others = {RerankerCard("quick", "m"): Calibration("quick's", {"score": 1.0}, bias=1000.0)}
    passages, trace = rerank(Fixed(scores, then.card), RAW, QUESTION, candidates(5), others)
    assert [p.candidate.rank for p in passages] == [4, 5, 3, 2, 1]
    assert (trace.kind, trace.scored) == ("sharp", 5)


def test_few_candidates_need_no_quick_reranker() -> None:
    first, then = Told("quick"), Told("sharp")
    Cascade(first, 5, then).score(QUESTION, candidates(5))
    assert (first.asked, then.asked) == ([], [[1, 2, 3, 4, 5]])


def test_what_the_second_could_not_read_in_time_keeps_the_firsts_score() -> None:
    late = Scores(
        (1.0, 0.0), status="late", reason="r", scorers=(RerankerCard("sharp", "m"), NOBODY), by=(0, 1)
    )
    scores = Cascade(Told("quick", float), 2, Told("sharp").then(late)).score(QUESTION, candidates(3))
    assert kinds(scores) == ["quick", "sharp", "quick"]
    assert (scores.status, scores.reason) == ("late", "r")
