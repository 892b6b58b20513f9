"""`rag calibrate`: relevance fitted on a user's questions, held to others of them, as scikit-learn has it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve  # type: ignore[import-untyped]  # it has no stubs
from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import log_loss as sklearn_log_loss  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score
from support.places import ROOT

from rag import ConfigError, InputError, Rag, Settings
from rag.calibration import FEATURES, Calibration
from rag.contract import to_json
from rag.evaluation.calibrate import calibrate, summarise_calibration, write
from rag.evaluation.candidates import Judged, check_whole
from rag.evaluation.dataset import Dataset
from rag.evaluation.fitting import fit, platt, round_off, straighten
from rag.evaluation.reliability import bins, calibration_error, log_loss, one_passage_a_document
from rag.evaluation.separation import Asked, Wish, area, false_answers_at, propose
from rag.protocols import silent
from rag.types import RerankerCard, Scores

Numbers = NDArray[np.float64]


def rows(questions: int = 60, passages: int = 12, seed: int = 0) -> list[Judged]:
    """Relevance follows score and cosine by a known law; every fifth question has no answer."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(questions):
        features = np.column_stack(
            [
                rng.normal(0, 2, passages),
                rng.uniform(0, 1, passages),
                np.full(passages, rng.uniform(0.2, 0.6)),
                rng.uniform(0, 1, passages),
                np.full(passages, rng.uniform(0, 1)),
            ]
        )
        odds = 1.5 * features[:, 0] + 2.0 * features[:, 1] - 3.0
        answerable = number % 5 != 0
        relevant = (rng.random(passages) < 1 / (1 + np.exp(-odds))) & answerable
        found.append(Judged(f"q{number}", features, relevant, tuple(map(str, range(passages))), answerable))
    return found


def stacked(judged: list[Judged], *names: str) -> tuple[Numbers, NDArray[np.bool_]]:
    columns = [FEATURES.index(name) for name in names]
    features = np.concatenate([row.features for row in judged])[:, columns]
    return features, np.concatenate([row.relevant for row in judged])


# --- as scikit-learn has it ----------------------------------------------------------------


def test_platts_line_is_scikit_learns() -> None:
    judged = rows()
    features, relevant = stacked(judged, "score")
    theirs = LogisticRegression(C=1e6, max_iter=1000).fit(features, relevant)
    ours = platt(judged)
    assert ours.weights["score"] == pytest.approx(theirs.coef_[0][0], rel=1e-3)
    assert ours.bias == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_the_isotonic_line_is_scikit_learns_through_to_a_question() -> None:
    """From the fit to the calibration that a pipeline uses, written and read again."""
    judged = rows()
    fitted = straighten(platt(judged), judged)
    logits = np.concatenate([fitted.logits(row.features) for row in judged])
    _, relevant = stacked(judged, "score")
    margin = 1 / (len(relevant) + 2)
    theirs = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip").fit(logits, relevant)
    grid = np.linspace(logits.min() - 2, logits.max() + 2, 200)
    used = Calibration("c", fitted.weights, fitted.bias, isotonic=fitted.isotonic)
    assert [used.relevance(x) for x in grid] == pytest.approx(theirs.predict(grid).tolist(), abs=1e-9)
    written = round_off(fitted)
    again = Calibration("c", written.weights, written.bias, isotonic=written.isotonic)
    assert [again.relevance(x) for x in grid] == pytest.approx(theirs.predict(grid).tolist(), abs=0.02)


def test_log_loss_and_bins_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.random(500)
    relevant = rng.random(500) < predicted**2
    assert log_loss(predicted, relevant) == pytest.approx(sklearn_log_loss(relevant, predicted))
    observed, expected = calibration_curve(relevant, predicted, n_bins=10)
    found = bins(predicted, relevant)
    assert [b.observed for b in found] == pytest.approx(observed.tolist())
    assert [b.predicted for b in found] == pytest.approx(expected.tolist())
    assert sum(b.count for b in found) == 500


def test_the_calibration_error_of_a_known_case() -> None:
    predicted = np.array([0.95] * 10 + [0.15] * 10)
    relevant = np.array([True] * 7 + [False] * 3 + [True] * 1 + [False] * 9)
    assert calibration_error(predicted, relevant) == pytest.approx((0.25 + 0.05) / 2)
    assert calibration_error(np.array([]), np.array([], dtype=np.bool_)) == 0.0


def test_evidence_is_weighed_as_it_bears_on_relevance() -> None:
    fitted = fit(rows(300), ["score", "cosine"])
    assert fitted.weights["cosine"] / fitted.weights["score"] == pytest.approx(2.0 / 1.5, rel=0.3)


@given(
    st.lists(st.floats(-30, 30), min_size=2, max_size=8, unique=True), st.floats(-50, 50), st.floats(-50, 50)
)
def test_relevance_rises_with_the_logit_and_stays_between_0_and_1(
    xs: list[float], a: float, b: float
) -> None:
    xs = sorted(round(x, 6) for x in set(xs))
    corners = tuple((x, i / len(xs)) for i, x in enumerate(dict.fromkeys(xs)))
    used = Calibration("c", {"score": 1.0}, isotonic=corners)
    low, high = sorted((a, b))
    assert 0.0 <= used.relevance(low) <= used.relevance(high) <= 1.0


@pytest.mark.parametrize(
    "corners", [((1.0, 0.2), (0.5, 0.4)), ((0.0, 0.5), (1.0, 0.4)), ((0.0, 0.1), (0.0, 0.2))]
)
def test_a_line_that_does_not_rise_is_refused(corners: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ConfigError, match="must rise"):
        Calibration("c", {"score": 1.0}, isotonic=corners)


def test_of_a_relevant_document_the_best_passage_counts_and_the_others_are_left_out() -> None:
    documents = ["right", "wrong", "right", "wrong"]
    assert one_passage_a_document(documents, {"right": 1}, [0.2, 0.9, 0.7, 0.1]) == [1, 2, 3]
    assert one_passage_a_document(documents, {}, [0.2, 0.9, 0.7, 0.1]) == [0, 1, 2, 3]


# --- the threshold -------------------------------------------------------------------------


def asked(answerable: bool, *relevances: float) -> Asked:
    """The first passage is the relevant one, where there is one."""
    relevant = np.zeros(len(relevances), dtype=np.bool_)
    relevant[:1] = answerable
    return Asked(answerable, np.array(relevances), relevant)


APART = [asked(True, 0.8 + i / 1000, 0.3, 0.2) for i in range(50)] + [
    asked(False, 0.1 + i / 1000, 0.05) for i in range(50)
]
MIXED = [asked(True, 0.2 + i / 100, 0.1) for i in range(50)] + [
    asked(False, 0.25 + i / 100, 0.05) for i in range(50)
]


def test_where_the_two_lie_apart_the_threshold_lies_between_them() -> None:
    for wish in (Wish(false_answers=0.0), Wish(precision=0.95), Wish()):
        found = propose(APART, wish, top_k=5)
        assert found.clean, wish
        assert 0.149 < found.threshold <= 0.81
        assert found.kept >= 0.95
        assert found.false_answers == 0.0
    assert area(APART) == 1.0


def test_where_they_do_not_it_says_so_and_what_it_would_cost() -> None:
    found = propose(MIXED, Wish(false_answers=0.1), top_k=5)
    assert not found.clean
    assert found.text.startswith("no clean separation")
    assert found.false_answers is not None
    assert found.false_answers <= 0.1
    assert found.kept < 0.2
    assert area(MIXED) == pytest.approx(
        roc_auc_score([one.answerable for one in MIXED], [one.relevance.max() for one in MIXED])
    )


def test_a_precision_that_nothing_reaches_is_no_separation() -> None:
    never = [asked(False, 0.9), *(asked(True, 0.5, 0.6) for _ in range(30))]
    found = propose(never, Wish(precision=0.99), top_k=5)
    assert not found.clean
    assert "no threshold gives a precision of 0.99" in found.text


def test_where_a_reader_has_read_what_it_found_decides() -> None:
    told = [replace(one, found=0.9 if one.answerable else 0.1) for one in MIXED]
    assert (area(told), false_answers_at(told, 0.9)) == (1.0, 0.0)
    assert false_answers_at(MIXED, 0.9) > 0.0


def test_a_false_answer_rate_needs_questions_without_an_answer() -> None:
    only = [one for one in APART if one.answerable]
    assert "without a question that has no answer" in propose(only, Wish(false_answers=0.1), 5).text
    found = propose(only, Wish(), 5)
    assert found.false_answers is None
    assert "nothing is known of false answers" in found.text
    assert area(only) is None


def test_the_looser_of_two_thresholds_that_both_do_is_proposed() -> None:
    strict, lax = (propose(MIXED, Wish(false_answers=rate), 5) for rate in (0.1, 0.5))
    assert lax.threshold < strict.threshold
    assert lax.kept > strict.kept


# --- the command's work --------------------------------------------------------------------


@pytest.fixture(scope="module")
def handbook_data() -> Dataset:
    return Dataset.load(ROOT / "data" / "questions").sample(90, 1)


def test_it_holds_better_on_held_out_questions_and_is_used(
    handbook_settings: Settings, handbook_data: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "fit" / "mine.yaml"
    found = calibrate(handbook_settings, "h.yaml", handbook_data, path, Wish(), 0, tmp_path, silent)
    write(found)
    assert found.after.log_loss < found.before.log_loss
    assert found.after.calibration_error < found.before.calibration_error
    assert found.after.log_loss == min(quality.log_loss for quality in found.tried.values())
    assert {"score alone", "logistic", "score alone, isotonic", "logistic, isotonic"} == set(found.tried)
    json.loads(json.dumps(to_json(summarise_calibration(found)), allow_nan=False))

    reranker = handbook_settings.reranker.model_copy(update={"calibration": path})
    settings = handbook_settings.model_copy(update={"reranker": reranker})
    pipeline = Rag(settings).pipeline
    assert pipeline.calibration.warning == ""
    assert pipeline.calibration.fitted_on == "90 questions of questions"
    assert pipeline.rule.threshold == round(found.proposal.threshold, 4)
    searched = pipeline.search("How do I reset the tracker?")
    assert searched.passages
    assert not any("calibra" in note for note in searched.trace.notes)

    again = calibrate(handbook_settings, "h.yaml", handbook_data, path, Wish(), 0, tmp_path, silent)
    assert again.file == found.file


def test_another_index_or_first_stage_warns_until_it_is_fitted_again(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    scored_with = Rag(handbook_settings).assembly.scored_with(handbook_settings.reranker)
    entry = {"reranker": "late-interaction", "weights": {"score": 10.0}, "fitted_on": "a test"}
    changed = {**scored_with, "index": "another-model@1"}
    path.write_text(yaml.safe_dump({**entry, "fingerprint": changed}))
    reranker = handbook_settings.reranker.model_copy(update={"calibration": path})
    settings = handbook_settings.model_copy(update={"reranker": reranker})
    notes = Rag(settings).search("How do I reset the tracker?").trace.notes
    assert any("index 'another-model@1', now" in note and "rag calibrate" in note for note in notes)
    dense = settings.retriever.model_copy(update={"kind": "dense"})
    path.write_text(yaml.safe_dump({**entry, "fingerprint": scored_with}))
    notes = Rag(settings.model_copy(update={"retriever": dense})).search("tracker").trace.notes
    assert any("first_stage 'hybrid', now 'dense'" in note for note in notes)


def test_without_a_score_of_its_own_the_evidence_is_fitted_alone(
    handbook_settings: Settings, handbook_data: Dataset, tmp_path: Path
) -> None:
    from rag.rerankers.none import NoneSettings

    settings = handbook_settings.model_copy(update={"reranker": NoneSettings(kind="none")})
    found = calibrate(settings, "h.yaml", handbook_data, tmp_path / "c.yaml", Wish(), 0, tmp_path, silent)
    assert "score" not in found.fitted.weights
    assert set(found.tried) == {"logistic", "logistic, isotonic"}


def test_a_handful_of_questions_is_refused(handbook_settings: Settings, tmp_path: Path) -> None:
    few = Dataset.load(ROOT / "data" / "questions").sample(8, 0)
    with pytest.raises(InputError, match=r"needs 20 or more.*rag questions"):
        calibrate(handbook_settings, "h.yaml", few, tmp_path / "c.yaml", Wish(), 0, tmp_path, silent)


def test_what_the_first_stage_does_not_know_is_not_fitted() -> None:
    from rag.evaluation.candidates import usable

    judged = rows(5)
    blind = [replace(row, features=np.where(np.arange(5) == 1, np.nan, row.features)) for row in judged]
    assert usable(judged, ["score", "cosine"]) == ["score", "cosine"]
    assert usable(blind, ["score", "cosine"]) == ["score"]


@pytest.mark.parametrize("status", ["late", "degraded"])
def test_scores_of_more_than_one_reranker_are_not_fitted(status: Literal["late", "degraded"]) -> None:
    with pytest.raises(InputError, match=r"\(the service was slow\).*policy\.fallback"):
        check_whole(Scores((0.1, 0.2), status=status, reason="the service was slow"))
    cascade = Scores((0.1, 0.2), scorers=(RerankerCard("a"), RerankerCard("b")), by=(0, 1))
    with pytest.raises(InputError, match="a cascade"):
        check_whole(cascade)
    alone = Scores((0.1, 0.2), scorers=(RerankerCard("a"),), by=(0, 0))
    assert check_whole(alone) is alone
