"""What counts as a procedure, and when one is asked for."""

from __future__ import annotations

import pytest

from rag import Rag
from rag.generators.steps import asks_how, steps

LIST = "Before.\n\n1. Open the door.\n2. Look\n   inside.\n3) Close it.\n\nAfter."


def test_the_steps_of_a_numbered_list_are_found_with_their_offsets() -> None:
    found = steps(LIST)
    assert [(number, " ".join(text.split())) for number, text, _ in found] == [
        (1, "Open the door."),
        (2, "Look inside."),
        (3, "Close it."),
    ]
    assert all(LIST[start:].startswith(text) for _, text, start in found)


@pytest.mark.parametrize("text", ["", "1. One.\n2. Two.", "1. One.\n3. Three.\n7. Seven.", "- a\n- b\n- c"])
def test_two_items_bullets_or_numbers_that_jump_are_no_procedure(text: str) -> None:
    assert steps(text) == []


def test_a_list_that_goes_on_from_another_passage_is_one_too() -> None:
    assert [number for number, _, _ in steps("7. Seven.\n8. Eight.\n9. Nine.")] == [7, 8, 9]


def test_a_step_ends_before_a_heading() -> None:
    assert steps("1. One.\n2. Two.\n3. Three.\n## Next\nText.")[-1][1] == "Three."


@pytest.mark.parametrize(
    "question", ["How do I reset it?", "how to cool LYRA", "What are the steps to open?"]
)
def test_a_question_for_a_procedure_is_recognised(question: str) -> None:
    assert asks_how(question)


@pytest.mark.parametrize(
    "question", ["How many litres?", "How long does it take?", "Who resets it?", "show me"]
)
def test_other_questions_are_not(question: str) -> None:
    assert not asks_how(question)


def test_how_do_i_is_answered_by_the_steps_each_with_its_citation(handbook: Rag) -> None:
    answer = handbook.ask("How do I reset the tracker?")
    lines = answer.text.splitlines()
    assert [line.partition(".")[0] for line in lines[:8]] == list("12345678")
    assert "Press the red RESET button and hold it for 8 seconds" in lines[3]
    assert {citation.status for citation in answer.citations} == {"ok"}
    assert {citation.source for citation in answer.citations} == {answer.passages[0].chunk.source}
