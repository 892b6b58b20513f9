"""Which questions train, which tell when to stop, which judge."""

from __future__ import annotations

from typing import Any

import pytest

from rag import InputError
from rag.evaluation.dataset import LabelledQuestion
from rag.training.lessons.split import split_questions


def asked(count: int, documents: int, **more: Any) -> list[LabelledQuestion]:
    return [
        LabelledQuestion.model_validate(
            {"_id": f"q{i}", "text": f"Question {i}?", "relevant": {f"d{i % documents}": 1}, **more}
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("documents", [1, 7, 60, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_held_out_question_trains_and_none_is_lost(documents: int, seed: int) -> None:
    questions = asked(200, documents)
    parts = split_questions(questions, seed)
    texts = [q.text for q in (*parts.train, *parts.stop, *parts.judge)]
    assert sorted(texts) == sorted(q.text for q in questions)
    assert (len(parts.judge), len(parts.stop)) == (50, 20)
    assert split_questions(questions, seed) == parts
    assert split_questions(questions, seed + 1) != parts


def test_questions_of_one_document_are_held_out_together() -> None:
    parts = split_questions(asked(200, 100), 0)
    of = [{name for q in part for name in q.relevant} for part in (parts.train, parts.stop, parts.judge)]
    assert not of[0] & of[1]
    assert not of[0] & of[2]
    assert not of[1] & of[2]


def test_the_same_question_under_another_name_is_held_out_too() -> None:
    questions = asked(40, 40)
    twins = [
        q.model_copy(update={"id": f"twin {q.id}", "text": q.text.upper() + " ", "relevant": {"x": 1}})
        for q in questions
    ]
    parts = split_questions([*questions, *twins], 0)
    held = {q.text.strip().lower() for q in (*parts.stop, *parts.judge)}
    assert not held & {q.text.strip().lower() for q in parts.train}


def test_a_title_that_is_a_question_held_out_is_known_as_one() -> None:
    parts = split_questions(asked(40, 40), 0)
    assert parts.holds_out(f" {parts.judge[0].text.upper()} ")
    assert parts.holds_out(parts.stop[0].text)
    assert not parts.holds_out(parts.train[0].text)


def test_drafted_questions_judge_only_where_nobody_has_asked_any() -> None:
    drafted = [
        q.model_copy(update={"id": f"s{q.id}", "text": f"Draft {q.id}"})
        for q in asked(50, 50, synthetic=True)
    ]
    parts = split_questions([*asked(40, 40), *drafted], 0)
    assert not any(q.synthetic for q in (*parts.stop, *parts.judge))
    assert sum(q.synthetic for q in parts.train) == 50
    assert all(q.synthetic for q in split_questions(drafted, 0).judge)


def test_too_few_questions_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"19 questions have a document .* 20 or more.*--synthetic"):
        split_questions(asked(19, 19), 0)
