"""How sure an answer is, and what follows: it is given, given with reserve, or not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.builders import SmallIndex, passage, ranked
from support.fakes import EchoGenerator

from rag import Answer
from rag.answers.confidence import SHIPPED, UNSURE, AnswerSettings, Confidence, Model, Models, Risk, features
from rag.answers.confidence import read_models as read
from rag.answers.prompt import DEFAULT_TEMPLATE, NOT_FOUND, build_messages, instructions, is_refusal
from rag.calibration import log_odds
from rag.errors import ConfigError
from rag.pipeline import Pipeline
from rag.types import Passage, Reading

TEXTS = {
    "dome.md": "Close the dome when the wind is above 16 metres a second.",
    "soup.md": "Soup is served at seven.",
}
QUESTION = "When do I close the dome?"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    return SmallIndex(tmp_path_factory.mktemp("small"), TEXTS)


def model(weights: Mapping[str, float], bias: float = 0.0) -> Model:
    risks = (Risk(threshold=0.2, unsure=0.1, answered=0.4), Risk(threshold=0.6, unsure=0.3, answered=0.1))
    return Model(bias=bias, weights=weights, not_found=0.05, risks=risks)


def always(confidence: float) -> Confidence:
    same = model({}, log_odds(confidence))
    return Confidence(Models(plain=same, read=same))


def pipeline(
    small: SmallIndex, confidence: float, says: str = "At 16 [1]."
) -> tuple[Pipeline, EchoGenerator]:
    generator = EchoGenerator(says)
    return replace(small.pipeline(generator=generator), confidence=always(confidence)), generator


def read_with(found: Passage, logit: float) -> Passage:
    start, end = np.zeros(1, np.int64), np.ones(1, np.int64)
    return replace(found, read=Reading(logit, start, end, np.full(1, 0.5, np.float32)))


# --- three states ----------------------------------------------------------------------------


def test_a_sure_answer_is_given_as_it_is(small: SmallIndex) -> None:
    answer = pipeline(small, 0.7)[0].ask(QUESTION)
    assert (answer.state, answer.found, answer.text) == ("answered", True, "At 16 [1].")
    assert answer.confidence == pytest.approx(0.7)


def test_an_unsure_one_says_so_shows_what_is_nearest_and_is_not_found(small: SmallIndex) -> None:
    answer = pipeline(small, 0.1)[0].ask(QUESTION)
    assert (answer.state, answer.found) == ("unsure", False)
    assert answer.text == f"{UNSURE}\nAt 16 [1]."
    assert answer.passages
    assert [citation.status for citation in answer.citations] == ["ok"]


def test_where_nothing_is_likely_nothing_is_shown_and_nobody_is_asked(small: SmallIndex) -> None:
    asked, generator = pipeline(small, 0.01)
    answer = asked.ask(QUESTION)
    assert (answer.state, answer.text, answer.passages) == ("not_found", NOT_FOUND, ())
    assert generator.asked == []
    assert answer.confidence == pytest.approx(0.01)
    assert all("confidence 0.010" in row.reason for row in answer.trace.candidates if not row.kept)


def test_a_model_that_is_unsure_itself_refuses(small: SmallIndex) -> None:
    answer = pipeline(small, 0.1, NOT_FOUND)[0].ask(QUESTION)
    assert (answer.state, answer.text) == ("not_found", NOT_FOUND)


@pytest.mark.parametrize("confidence", [0.7, 0.1, 0.01])
def test_a_stream_says_the_same(small: SmallIndex, confidence: float) -> None:
    *pieces, last = pipeline(small, confidence)[0].stream(QUESTION)
    assert isinstance(last, Answer)
    assert last.state == pipeline(small, confidence)[0].ask(QUESTION).state
    assert "".join(map(str, pieces)).replace(" ", "") == last.text.replace(" ", "")


# --- the number ------------------------------------------------------------------------------


def test_what_is_more_relevant_covers_more_and_is_read_as_an_answer_is_surer() -> None:
    good, bad = passage(0.8, TEXTS["dome.md"]), passage(0.2, TEXTS["soup.md"])
    judge = AnswerSettings().build().judge
    assert judge(QUESTION, [good]).confidence > judge(QUESTION, [bad]).confidence
    yes, no = (judge(QUESTION, [read_with(good, logit)]).confidence for logit in (3.0, -3.0))
    assert yes > no


def test_a_passage_beside_the_point_says_little_of_the_reading() -> None:
    near, far = passage(0.9, TEXTS["dome.md"], rank=1), passage(0.01, TEXTS["soup.md"], rank=2)
    found = features(QUESTION, [read_with(near, 2.0), read_with(far, -8.0)])
    assert found["reading"] > 1.9
    assert found["marks"] == pytest.approx(0.0)  # one half is the highest of all
    assert "reading" not in features(QUESTION, [near, far])


def test_passages_that_were_read_can_be_compared() -> None:
    near = passage(0.9, TEXTS["dome.md"])
    assert read_with(near, 2.0) == read_with(near, 2.0) == near


def test_a_threshold_follows_from_the_share_that_may_be_unsure_or_stands_in_the_config() -> None:
    plain = model({})
    assert [plain.threshold(rate) for rate in (0.0, 0.05, 0.1, 0.2, 0.9)] == pytest.approx(
        [0, 0.1, 0.2, 0.4, 0.6]
    )
    near = [replace(p, relevance=0.3) for p in ranked(0.3)]
    lax, strict = (AnswerSettings(unsure=least, not_found=0.0).build() for least in (0.0, 1.0))
    assert (lax.judge(QUESTION, near).state, strict.judge(QUESTION, near).state) == ("answered", "unsure")


def test_what_ships_says_what_its_threshold_did() -> None:
    shipped = read(SHIPPED)
    for used in (shipped.plain, shipped.read):
        assert [risk.unsure for risk in used.risks] == sorted(risk.unsure for risk in used.risks)
        assert used.fitted_on.startswith("questions: ")
    assert "of those with one 10% are unsure" in AnswerSettings().build().told(reads=False)


def test_a_file_that_is_no_model_of_confidence_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"c\.json cannot be read as a model of confidence"):
        read(tmp_path / "c.json")


# --- with a language model -------------------------------------------------------------------


def test_a_model_is_told_of_the_doubt() -> None:
    told = [
        build_messages("Why?", ranked(0.5), DEFAULT_TEMPLATE, doubtful)[0].content
        for doubtful in (True, False)
    ]
    assert ["may well not answer" in content for content in told] == [True, False]


@pytest.mark.parametrize(
    ("template", "reply"),
    [
        ("{{ question }} Say: {{ not_found }}", f"**{NOT_FOUND}** [1]"),
        ('Answer {{ question }}. Else reply "I cannot tell."', "I cannot tell"),
        ("If it is not there:\nNo such thing is written.\n{{ question }}", "no such thing is written."),
        (DEFAULT_TEMPLATE, f'"{NOT_FOUND}"'),
    ],
)
def test_a_refusal_is_known_in_any_wording_that_the_model_was_told_to_use(template: str, reply: str) -> None:
    assert is_refusal(reply, instructions(template))


@pytest.mark.parametrize(
    "reply", ["It is 16.", "", "I cannot tell why, but 16 [1].", f"{NOT_FOUND} But see [1]."]
)
def test_an_answer_is_no_refusal(reply: str) -> None:
    assert not is_refusal(reply, instructions('Answer {{ question }}. Else reply "I cannot tell."'))
