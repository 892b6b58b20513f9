"""The reader that comes with rag: its files, and what it can be held to."""

from __future__ import annotations

import json

import pytest

from rag import Settings
from rag.answers.reader import BundledReaderSettings, PassageReader
from rag.files.shipped import reader_model
from rag.inspection.models_in_use import models_in_use
from rag.models.card import read_card

FACTS = (
    (
        "When was the lighthouse built?",
        "The lighthouse stands on the northern pier. It was built in 1862 by the harbour board. Its lamp was "
        "replaced after the war.",
        "It was built in 1862 by the harbour board.",
        "The lighthouse was built by the harbour board of grey stone and stands on the northern pier.",
    ),
    (
        "What is the default of max_retries?",
        "Settings > Network\nmax_retries: How often a request is sent again. The default is 3. Zero sends "
        "it once.\n\nretry_wait: Seconds between two of them.",
        "The default is 3.",
        "Settings > Network\nretry_wait: Seconds between requests, a decimal number, where max_retries "
        "allows another one.",
    ),
)


@pytest.fixture(scope="module")
def reader() -> PassageReader:
    return BundledReaderSettings(kind="bundled").build()


@pytest.mark.parametrize(("question", "answers", "sentence", "other"), FACTS)
def test_it_tells_an_answer_from_a_mention_and_marks_it(
    reader: PassageReader, question: str, answers: str, sentence: str, other: str
) -> None:
    right, wrong = reader.read(question, [answers, other])
    assert right.logit > wrong.logit
    place = int(right.starts[right.marks.argmax()])
    assert answers.index(sentence) <= place < answers.index(sentence) + len(sentence)


def test_a_passage_on_something_else_answers_nothing(reader: PassageReader) -> None:
    (reading,) = reader.read(FACTS[0][0], ["Soup is served at seven in the mess, and bread with it."])
    assert reading.logit < 0
    assert reading.marks.max() < 0.5


def test_it_is_small_and_says_what_it_is_under_and_learned_from() -> None:
    (model,) = [m for m in models_in_use(Settings(reader={"kind": "bundled"})) if m.roles[0].part == "reader"]  # type: ignore[arg-type]  # pydantic validates
    assert model.problem == ""
    assert model.bytes is not None
    assert model.bytes < 30e6
    assert model.licence == "cc-by-sa-4.0"
    record = json.loads((reader_model() / "reader.json").read_text())
    assert all(told["licence"] for told in record["data"].values())
    assert {"recipe", "questions", "body", "weights"} < record.keys()
    assert "SQuAD" in read_card(reader_model()).trained_on
