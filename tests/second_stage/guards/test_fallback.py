"""Who stands in for a reranker that fails, and who must not."""

from __future__ import annotations

import pytest
from support.builders import RAW, candidates
from support.scripted import NONSENSE, PASSING, QUESTION, WRONG_KEY, Told

from rag.calibration import Calibration
from rag.errors import InputError, ModelError, ProtocolError, ServiceError
from rag.rerankers.none import FirstStageOrder
from rag.second_stage.guards.checked import Checked
from rag.second_stage.guards.deadline import Batches, Deadline
from rag.second_stage.guards.fallback import Fallback
from rag.second_stage.rank import rerank
from rag.types import NOBODY, RerankerCard, Scores


@pytest.mark.parametrize("error", [PASSING, NONSENSE])
def test_another_reranker_stands_in_and_says_so(error: Exception) -> None:
    chain = Fallback([Told("first").then(error), Told("second"), FirstStageOrder()], permanent=False)
    scores = chain.score(QUESTION, candidates(2))
    assert (scores.status, scores.scorers) == ("degraded", (RerankerCard("second", "m"),))
    assert scores.reason == f"{error}; second m scored instead"


def test_the_last_of_the_list_may_be_nobody() -> None:
    chain = Fallback([Told("first").then(PASSING), FirstStageOrder()], permanent=False)
    passages, trace = rerank(chain, RAW, QUESTION, candidates(3), {NOBODY: Calibration("none", {})})
    assert [p.candidate.rank for p in passages] == [1, 2, 3]
    assert (trace.kind, trace.status, trace.scored) == ("none", "degraded", 0)
    assert "the first stage's order stands" in trace.reason


def test_a_permanent_refusal_is_not_masked_unless_the_config_says_so() -> None:
    with pytest.raises(ServiceError, match="wrong key"):
        Fallback([Told().then(WRONG_KEY), Told()], permanent=False).score(QUESTION, candidates(1))
    scores = Fallback([Told().then(WRONG_KEY), Told("b")], permanent=True).score(QUESTION, candidates(1))
    assert (scores.status, scores.scorers[0].kind) == ("degraded", "b")


@pytest.mark.parametrize("values", [(1.0,), (1.0, float("nan")), (1.0, 2.0, 3.0)])
def test_nonsense_of_a_local_model_is_an_error_unless_the_config_says_so(values: tuple[float, ...]) -> None:
    def chain(permanent: bool) -> Fallback:
        odd = Batches(Checked(Told().then(Scores(values))), None, 1)
        return Fallback([Deadline(odd, 5000), Told("b")], permanent)

    with pytest.raises(ModelError):
        chain(permanent=False).score(QUESTION, candidates(2))
    assert chain(permanent=True).score(QUESTION, candidates(2)).scorers[0].kind == "b"


def test_an_error_of_the_user_is_nobodys_to_mend() -> None:
    with pytest.raises(InputError):
        Fallback([Told().then(InputError("no")), Told()], permanent=True).score(QUESTION, candidates(1))


def test_the_last_ones_failure_is_raised() -> None:
    with pytest.raises(ProtocolError):
        Fallback([Told().then(PASSING), Told().then(NONSENSE)], False).score(QUESTION, candidates(1))


def test_a_stand_in_is_read_by_its_own_calibration() -> None:
    chain = Fallback([Told("first").then(PASSING), Told("second", float)], permanent=False)
    own = {RerankerCard("second", "m"): Calibration("second's", {"score": 1.0}, bias=-100.0, fitted_on="x")}
    passages, trace = rerank(chain, RAW, QUESTION, candidates(2), own)
    assert [p.logit for p in passages] == [-98.0, -99.0]
    assert (trace.calibration, trace.kind) == ("second's", "second")
