from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import RAW, candidate, candidates
from support.fakes import ListedScores

from rag.calibration import Calibration
from rag.errors import ModelError
from rag.parts import Parts
from rag.rerankers.none import NoneSettings
from rag.second_stage.guards.checked import Checked
from rag.second_stage.rank import rerank
from rag.types import Candidate, Evidence, Passage, Question

QUESTION = Question("Who is there?")


def scored(values: Sequence[float], *, calibration: Calibration = RAW, **kind: Any) -> list[Passage]:
    return rerank(ListedScores(values, **kind), calibration, QUESTION, candidates(len(values)))[0]


def first_stage_ranks(passages: Sequence[Passage]) -> list[int]:
    return [passage.candidate.rank for passage in passages]


# --- the ranking ---------------------------------------------------------------------------


def test_passages_come_best_first_with_their_ranks() -> None:
    passages = scored([0.1, 0.9, 0.5])
    assert first_stage_ranks(passages) == [2, 3, 1]
    assert [passage.rank for passage in passages] == [1, 2, 3]
    assert [passage.score for passage in passages] == [0.9, 0.5, 0.1]


def test_ties_keep_the_order_of_the_first_stage() -> None:
    """And are not settled by comparing passages, which cannot be compared."""
    assert first_stage_ranks(scored([0.5, 0.7, 0.5, 0.7, 0.5])) == [2, 4, 1, 3, 5]


def test_scores_whose_probabilities_are_both_1_are_still_ranked() -> None:
    """A saturated sigmoid ties: the ranking goes by the logit."""
    passages = scored([40.0, 50.0, 45.0])
    assert [passage.relevance for passage in passages] == [1.0, 1.0, 1.0]
    assert first_stage_ranks(passages) == [2, 3, 1]


def test_where_the_reranker_does_not_rank_the_order_of_the_first_stage_stands() -> None:
    assert first_stage_ranks(scored([0.1, 0.9, 0.5], ranks=False)) == [1, 2, 3]


def test_evidence_can_lift_a_passage_over_one_with_a_better_score() -> None:
    calibration = Calibration("c", {"score": 1.0, "cosine": 2.0})
    given = [
        candidate("a", "a", rank=1, evidence=Evidence(0.1)),
        candidate("b", "b", rank=2, evidence=Evidence(0.9)),
    ]
    passages, _ = rerank(ListedScores([0.9, 0.8]), calibration, QUESTION, given)
    assert first_stage_ranks(passages) == [2, 1]


@given(st.lists(st.floats(-20, 20), max_size=30))
def test_every_candidate_comes_out_exactly_once_and_in_the_order_of_its_logit(values: list[float]) -> None:
    passages = scored(values)
    assert sorted(first_stage_ranks(passages)) == list(range(1, len(values) + 1))
    assert [passage.logit for passage in passages] == sorted(values, reverse=True)


# --- the scale -----------------------------------------------------------------------------


def test_a_passages_relevance_does_not_depend_on_the_other_candidates() -> None:
    """Not even on whether there are any: no minimum or maximum of the candidates at hand enters."""
    alone, first, last, tied = ([2.0], [2.0, -7.0], [9.0, 8.0, 2.0], [2.0, 2.0])
    found = [
        next(p.relevance for p in scored(values) if p.score == 2.0) for values in (alone, first, last, tied)
    ]
    assert found == pytest.approx([0.880797] * 4, abs=1e-6)


def test_a_single_bad_passage_is_not_relevant_for_being_the_only_one() -> None:
    assert scored([-6.0])[0].relevance < 0.01


def test_ms_marco_logits_do_not_all_pass_for_more_than_a_half() -> None:
    assert [passage.relevance > 0.5 for passage in scored([8.6, -4.3, -11.2])] == [True, False, False]


def test_the_raw_score_is_kept_beside_the_relevance() -> None:
    passage = scored([-3.0])[0]
    assert (passage.score, passage.logit) == (-3.0, -3.0)
    assert passage.relevance == pytest.approx(1 / (1 + math.exp(3)))


def test_candidates_are_not_written_to() -> None:
    given = candidates(3)
    before = list(given)
    rerank(ListedScores([3.0, 1.0, 2.0]), RAW, QUESTION, given)
    assert given == before


# --- what a reranker may get wrong ---------------------------------------------------------


def test_without_candidates_the_reranker_is_not_called() -> None:
    reranker = ListedScores([])
    passages, trace = rerank(reranker, RAW, QUESTION, [])
    assert (passages, reranker.calls, trace.status, trace.reason) == ([], 0, "skipped", "no candidates")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_error_that_names_the_pair(value: float) -> None:
    with pytest.raises(ModelError, match=r"Who is there\?.*1\.md:0-16") as raised:
        rerank(Checked(ListedScores([0.5, value, 0.4])), RAW, QUESTION, candidates(3))
    assert str(value) in str(raised.value)


def test_a_wrong_number_of_scores_is_an_error() -> None:
    with pytest.raises(ModelError, match="gave 2 scores for 3 passages"):
        rerank(Checked(ListedScores([0.1, 0.2])), RAW, QUESTION, candidates(3))


def test_the_trace_says_who_scored_and_by_which_calibration() -> None:
    _, trace = rerank(ListedScores([0.1]), RAW, QUESTION, candidates(1))
    assert (trace.kind, trace.status, trace.calibration) == ("listed", "ok", "as it stands")


# --- no reranking --------------------------------------------------------------------------


def test_no_reranking_keeps_the_first_stages_order_and_takes_relevance_from_its_evidence() -> None:
    def with_cosine(rank: int, cosine: float) -> Candidate:
        return candidate(f"text {rank}", f"{rank}.md", rank=rank, evidence=Evidence(cosine))

    none = NoneSettings(kind="none").build(Parts(None, None))  # type: ignore[arg-type]  # it takes neither
    given = [with_cosine(1, 0.2), with_cosine(2, 0.8)]
    passages, trace = rerank(none, Calibration("c", {"cosine": 1.0}), QUESTION, given)
    assert (first_stage_ranks(passages), trace.kind) == ([1, 2], "none")
    assert passages[0].relevance < passages[1].relevance


def test_numpy_scores_of_a_third_partys_reranker_leave_as_plain_numbers() -> None:
    passages = scored([np.float32(0.5), np.float64(0.25)])  # type: ignore[list-item]  # that is the point
    for passage in passages:
        assert {type(passage.score), type(passage.logit), type(passage.relevance)} == {float}
