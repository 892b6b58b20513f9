"""The questions about other people's manuals hold together. Their documents are not needed for that."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest
from manuals.manual_set import ManualSet
from manuals.questions import FIT, HALVES, ManualQuestion, halves, question_file, read_questions
from manuals.sets import MEASURED, SETS, take
from manuals.wording import plain, says

from rag.evaluation.dataset import Dataset

ALL = [question for manual in SETS for question in read_questions(manual)]
each_set = pytest.mark.parametrize("manual", SETS, ids=lambda manual: manual.name)


@each_set
def test_a_set_has_forty_questions_with_an_answer_and_twenty_five_without(manual: ManualSet) -> None:
    counted = Counter(question.answerable for question in read_questions(manual))
    assert counted[True] >= 40
    assert counted[False] >= 25


def test_no_question_stands_twice() -> None:
    assert len({question.id for question in ALL}) == len(ALL)
    assert len({question.text.casefold() for question in ALL}) == len(ALL)


def test_what_confidence_is_fitted_on_is_not_measured() -> None:
    assert {manual.name for manual in MEASURED} == {"sqlite", "policy", "bash", "git"}
    for manual in SETS:
        assert all((q.half == FIT) is manual.fits for q in read_questions(manual))


def test_what_is_kept_for_the_end_has_no_question_to_look_at() -> None:
    kept = [manual for manual in SETS if manual.kept]
    assert {manual.name for manual in kept} == {"gimp", "dovecot"}
    assert all(question.half == "held" for manual in kept for question in read_questions(manual))


@pytest.mark.parametrize("manual", MEASURED, ids=lambda manual: manual.name)
@pytest.mark.parametrize("answerable", [True, False])
def test_the_halves_follow_from_the_ids(manual: ManualSet, answerable: bool) -> None:
    questions = [q for q in read_questions(manual) if q.answerable is answerable]
    assert {question.id: question.half for question in questions} == halves(q.id for q in questions)
    counted = Counter(question.half for question in questions)
    assert abs(counted[HALVES[0]] - counted[HALVES[1]]) <= 1


@pytest.mark.parametrize("question", [q for q in ALL if q.answerable], ids=lambda q: q.id)
def test_a_fact_asks_for_something_that_the_question_does_not_say(question: ManualQuestion) -> None:
    assert re.compile(question.fact).search("") is None
    assert not says(question.text, question.fact)


@each_set
def test_what_has_an_answer_names_files_of_its_set(manual: ManualSet) -> None:
    for question in read_questions(manual):
        assert bool(question.fact) is bool(question.pages) is bool(question.anchors) is question.answerable
        assert set(question.pages) <= set(manual.files)
        assert {anchor.partition("#")[0] for anchor in question.anchors} == set(question.pages)


@each_set
def test_an_evaluation_reads_them_as_a_dataset(manual: ManualSet) -> None:
    read = Dataset.load(question_file(manual)).questions
    assert [(q.id, q.can_be_answered) for q in read] == [(q.id, q.answerable) for q in read_questions(manual)]
    assert all(question.labelled is question.can_be_answered for question in read)


def test_a_fact_is_found_over_line_ends_quotes_and_marks_of_code() -> None:
    assert says("> so the limit\n> > is set", "limit is set")
    assert says("the limit is set\n  to `max_page_count`’s value", "set to max_page_count's value")


def test_a_fact_is_strict_about_names_and_operators() -> None:
    assert plain("count(*) of my_table, ~* and **bold**") == "count(*) of my_table, ~* and **bold**"
    assert not says("sharedbuffers", "shared_buffers")


def test_a_file_that_debian_compressed_is_laid_out_unpacked(tmp_path: Path) -> None:
    (tmp_path / "page.md.gz").write_bytes(gzip.compress(b"# Page\n"))
    (tmp_path / "plain.md").write_bytes(b"# Plain\n")
    for name in ("page.md", "plain.md", "gone.md"):
        take(tmp_path / name, tmp_path / f"laid-{name}")
    laid = {path.name: path.read_bytes() for path in tmp_path.glob("laid-*")}
    assert laid == {"laid-page.md": b"# Page\n", "laid-plain.md": b"# Plain\n"}
