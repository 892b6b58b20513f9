"""What the reader learns from a question about a manual: where the fact stands, and what is left without."""

from __future__ import annotations

import pytest
from manuals.wording import place, says
from reader.further import evenly
from reader.questions import CHECKED, LEARNED, without

from rag.training.lessons.reading import Group

TEXT = (
    "Dome > Wind\nThe dome is closed above the limit.  The *default*\n> is `16` m/s. "
    "It can be set anew by the keeper, who has a key for the box beside the door."
)


@pytest.mark.parametrize("fact", [r"default is 16 m/s", r"the \*default\*", r"who has a key"])
def test_the_place_of_a_fact_is_the_documents_own_words(fact: str) -> None:
    start, end = place(TEXT, fact)
    assert says(TEXT[start:end], fact)
    assert len(TEXT[start:end]) < 30


def test_what_is_not_said_has_no_place() -> None:
    assert place(TEXT, "17 m/s") == (0, 0)


def test_a_passage_without_its_fact_keeps_the_rest() -> None:
    rest = without(TEXT, "default is 16")
    assert not says(rest, "default is 16")
    assert "who has a key" in rest
    assert without("The default is 16.", "default is 16") == ""


def test_new_questions_come_as_often_as_old_ones() -> None:
    old = [Group("old", str(i), ()) for i in range(7)]
    new = [Group("new", str(i), ()) for i in range(3)]
    came = evenly(old, new)
    assert len(came) == 14
    assert {group.question for group in came if group.origin == "new"} == {"0", "1", "2"}


def test_nothing_is_fitted_on_manuals_that_the_reader_learns_from() -> None:
    assert not set(CHECKED) & set(LEARNED)
