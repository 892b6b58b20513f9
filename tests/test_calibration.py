from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag.calibration import Calibration, sigmoid
from rag.errors import ConfigError
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.second_stage.fitted import find_calibration
from rag.types import EmbedderCard, Evidence, RerankerCard

BUNDLED = EmbedderCard("sentence-transformers/all-MiniLM-L6-v2", "1", 384, 256)
UNKNOWN = EmbedderCard("somebody/elses", "1", 384, 256)
EVIDENCE = Evidence(cosine=0.5, bm25=4.0, cosine_reference=0.4, bm25_best=8.0)


def written(folder: Path, *fits: dict[str, object]) -> Path:
    path = folder / "fitted.yaml"
    path.write_text(
        yaml.safe_dump([{"weights": {"score": 1.0}, "fitted_on": "a test", **fit} for fit in fits])
    )
    return path


# --- from a raw score to relevance ---------------------------------------------------------


def test_relevance_is_one_sigmoid_of_the_weighted_features() -> None:
    calibration = Calibration("c", {"score": 2.0, "cosine": 1.0, "bm25_share": 3.0}, bias=-1.0)
    assert calibration.logit(0.25, EVIDENCE) == pytest.approx(-1.0 + 0.5 + 0.5 + 3 * 0.5)


def test_a_raw_logit_is_squashed_once_whatever_its_range() -> None:
    """A logit of 3 is a relevance of 0.95, not sigmoid(sigmoid(3)) = 0.72; one of 0.4 is not taken
    for a probability because it happens to lie between 0 and 1."""
    calibration = find_calibration(
        RerankerCard("cross-encoder", "a/model"), UNKNOWN, None, transform=CrossEncoderSettings.transform
    )
    relevances = [sigmoid(calibration.logit(score, Evidence())) for score in (-8.0, 0.4, 3.0)]
    assert relevances == pytest.approx([0.000335, 0.5987, 0.9526], abs=1e-4)


def test_a_score_that_is_a_probability_already_stays_what_it_is() -> None:
    calibration = find_calibration(RerankerCard("cohere", "rerank-v3.5"), UNKNOWN, None)
    relevances = [sigmoid(calibration.logit(score, Evidence())) for score in (0.02, 0.2998, 0.97)]
    assert relevances == pytest.approx([0.02, 0.2998, 0.97], abs=1e-6)


def test_a_probability_of_exactly_0_or_1_is_finite() -> None:
    calibration = Calibration("c", {"score": 1.0}, transform="logit")
    assert -20 < calibration.logit(0.0, Evidence()) < calibration.logit(1.0, Evidence()) < 20


@given(st.floats(-1e4, 1e4))
def test_the_sigmoid_never_overflows_and_stays_between_0_and_1(logit: float) -> None:
    assert 0.0 <= sigmoid(logit) <= 1.0
    assert sigmoid(logit) + sigmoid(-logit) == pytest.approx(1.0)


def test_a_bm25_of_zero_everywhere_is_a_share_of_zero() -> None:
    calibration = Calibration("c", {"bm25_share": 1.0})
    assert calibration.logit(0.0, Evidence(cosine=0.1, bm25=0.0, cosine_reference=0.1, bm25_best=0.0)) == 0.0


def test_evidence_that_the_first_stage_does_not_give_is_named() -> None:
    calibration = Calibration("of the test", {"score": 1.0, "cosine": 1.0})
    with pytest.raises(ConfigError, match="of the test needs 'cosine'"):
        calibration.logit(0.5, Evidence())


def test_an_unknown_feature_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"cosinus.*cosine_reference"):
        Calibration("c", {"cosinus": 1.0})


# --- which calibration ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["late-interaction", "none"])
def test_the_default_rerankers_are_fitted_and_bring_their_threshold(kind: str) -> None:
    calibration = find_calibration(RerankerCard(kind), BUNDLED, None)
    assert calibration.fitted_on
    assert calibration.threshold is not None
    assert 0 < calibration.threshold < 1


def test_a_fit_is_not_used_for_another_embedder() -> None:
    assert find_calibration(RerankerCard("late-interaction"), UNKNOWN, None).fitted_on == ""


def test_without_a_fit_relevance_is_ordered_by_the_score_and_says_that_it_is_not_fitted() -> None:
    for kind in ("cross-encoder", "cohere", "late-interaction"):
        calibration = find_calibration(RerankerCard(kind, "m"), UNKNOWN, None)
        logits = [calibration.logit(score, Evidence()) for score in (0.1, 0.5, 0.9)]
        assert logits == sorted(logits)
        assert (calibration.fitted_on, calibration.threshold) == ("", None)


def test_a_file_of_the_users_own_wins(tmp_path: Path) -> None:
    path = written(tmp_path, {"reranker": "none", "bias": 7.0, "threshold": 0.4})
    calibration = find_calibration(RerankerCard("none"), BUNDLED, path)
    assert (calibration.bias, calibration.threshold, calibration.fitted_on) == (7.0, 0.4, "a test")


def test_of_several_fits_in_a_file_the_one_for_this_reranker_and_model_is_taken(tmp_path: Path) -> None:
    fits = [
        {"reranker": "cross-encoder", "model": model, "bias": bias}
        for model, bias in [("a", 1.0), ("b", 2.0)]
    ]
    path = written(tmp_path, *fits)
    assert find_calibration(RerankerCard("cross-encoder", "b"), BUNDLED, path).bias == 2.0


def test_a_file_that_was_fitted_for_another_reranker_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"reranker": "cohere", "model": "rerank-v3.5"})
    with pytest.raises(ConfigError, match=r"fitted for cohere rerank-v3\.5, not for cross-encoder m"):
        find_calibration(RerankerCard("cross-encoder", "m"), BUNDLED, path)


def test_a_file_with_an_unknown_feature_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"reranker": "none", "weights": {"charm": 1.0}})
    with pytest.raises(ConfigError, match="charm"):
        find_calibration(RerankerCard("none"), BUNDLED, path)


@pytest.mark.parametrize(
    "content", ["", "just words", "[1, 2]", "a: b: c", "{reranker: none}", "{reranker: none, wheights: {}}"]
)
def test_a_file_that_is_no_calibration_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        find_calibration(RerankerCard("none"), BUNDLED, path)


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        find_calibration(RerankerCard("none"), BUNDLED, tmp_path / "absent.yaml")
