"""What counts as a misquotation, a place, a refusal and an error of confidence in the measure on manuals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from manuals.asking import Collection, Outcome, ask_all
from manuals.figures import calibration_error, figures, refused_at, sureness, table
from manuals.measure import failure, of_half
from manuals.questions import ManualQuestion
from manuals.quotes import misquoted, readings
from manuals.sets import Unavailable, find_set
from manuals.visible import read_visible

DOCUMENT = """# Limits

Use `shared_buffers` and **not** `count(*)` for that. A pattern `~*` ignores case.

- Stop the service.
- Edit `/var/lib/my_app`.

| name | default |
|------|---------|
| max_size | 10 MB |

Titles
~~~~~~
may be underlined.
"""
SEEN = "Limits\nUse shared_buffers and not count(*) for that. A pattern ~* ignores case.\n"
SOURCES = {1: (*readings(DOCUMENT), *readings(SEEN))}


@pytest.mark.parametrize(
    "line",
    [
        "Use shared_buffers and not count(*) for that. [1]",
        "Use `shared_buffers` and **not** `count(*)` for that. [1]",
        "A pattern ~*  ignores case. [1]",
        "- Stop the service. Edit /var/lib/my_app. [1]",
        "1. Stop the service. [1]",
        "name: max_size; default: 10 MB [1]",
        "Titles ~~~~~~ may be underlined. [1]",
        "Limits: Use shared_buffers … ignores case. [1]",
        "```\nEdit `/var/lib/my_app`.\n\nStop the service.\n```\nA pattern ~* ignores case. [1]",
    ],
)
def test_what_stands_so_is_no_misquotation(line: str) -> None:
    assert misquoted(line, SOURCES) == ()


@pytest.mark.parametrize(
    "line",
    [
        "Use sharedbuffers and not count(*) for that. [1]",
        "Use shared_buffers and not count() for that. [1]",
        "A pattern ~ ignores case. [1]",
        "Edit /var/lib/myapp. [1]",
        "name: max_size; default: 12 MB [1]",
        "Use shared_buffers and count(*) for that. [1]",
        "Use shared_buffers and not count(*) for that. [2]",
    ],
)
def test_a_lost_sign_a_changed_number_and_another_document_are_misquotations(line: str) -> None:
    assert len(misquoted(line, SOURCES)) == 1


def test_a_line_without_a_marker_belongs_to_the_marker_of_its_paragraph() -> None:
    assert misquoted("Edit /var/lib/myapp.\nStop the service. [1]", SOURCES) == ("Edit /var/lib/myapp.",)


def test_the_products_own_words_are_no_quotation() -> None:
    assert misquoted("The documents may not answer this; nearest:\n\nStop the service. [1]", SOURCES) == ()


def test_a_page_is_read_as_it_is_seen_with_its_anchors(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<style>p {}</style><h2 id="a">One</h2><p>two<b>fold</b></p><p><a name="b"></a>last</p>')
    seen = read_visible(page)
    assert seen.text.split() == ["One", "twofold", "last"]
    assert [seen.before(seen.text.index(word)) for word in ("One", "two", "last")] == ["a", "a", "b"]


def test_a_text_has_its_titles_as_anchors(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(
        "git-tag(1)\n==========\n\nOPTIONS\n-------\n--all::\n\tEvery tag.\n----\n"
    )
    seen = read_visible(tmp_path / "page.txt")
    assert [name for _, name in seen.anchors] == ["git-tag(1)", "OPTIONS"]


def test_questions_are_asked_and_their_answers_held_against_the_documents(tmp_path: Path) -> None:
    folder = tmp_path / "pumps"
    folder.mkdir()
    (folder / "limits.md").write_text("# Limits\n\nThe largest pressure of the pump_head is 25 bar.\n")
    (folder / "colours.md").write_text("# Colours\n\nThe housing of the pump is painted green twice.\n")
    pressure = ManualQuestion(
        "p", "What is the largest pressure?", True, "work", fact="25 bar", pages=("limits.md",)
    )
    (outcome,) = ask_all(Collection("pumps", folder, (pressure,)), None, tmp_path / "cache")
    assert outcome.gold[0]
    assert outcome.fact_in_passages
    assert outcome.right
    assert 0 < outcome.relevance <= 1


# --- figures -------------------------------------------------------------------------------

ABLE = ManualQuestion("a", "How large?", answerable=True, half="work", fact="10 MB", pages=("p.html",))
UNABLE = ManualQuestion("u", "How wide?", answerable=False, half="work")
RIGHT = Outcome(
    question=ABLE,
    text="It is 10 MB. [1]",
    state="answered",
    confidence=0.0,
    relevance=0.8,
    gold=(True, False),
    fact_in_passages=True,
    right=True,
    misquoted=(),
    ms=10.0,
)
FALSE = replace(RIGHT, question=UNABLE, right=False, gold=(False,), relevance=0.2)


def test_an_answer_counts_only_where_it_is_given_as_one() -> None:
    counted = figures([RIGHT, replace(RIGHT, state="unsure"), FALSE, replace(FALSE, state="not_found")])
    assert counted["fact_in_answer"] == 0.5
    assert counted["lost_by_default"] == 0.5
    assert counted["answered_wrongly"] == 0.5


def test_the_first_page_and_the_pages_among_five_are_told_apart() -> None:
    second = replace(RIGHT, gold=(False, True))
    counted = figures([RIGHT, second, replace(RIGHT, gold=()), replace(RIGHT, gold=(False,) * 5 + (True,))])
    assert counted["page_first"] == 0.25
    assert counted["page_in_five"] == 0.5


def test_confidence_is_what_is_compared_as_soon_as_answers_have_any() -> None:
    assert sureness([RIGHT, FALSE]) == {"a": 0.8, "u": 0.2}
    assert sureness([replace(RIGHT, confidence=0.6), FALSE]) == {"a": 0.6, "u": 0.0}


def test_refusals_are_counted_below_the_threshold_that_keeps_nine_of_ten() -> None:
    able = [0.1, *(0.5 + i / 100 for i in range(9))]
    assert refused_at(0.9, able, [0.05, 0.3, 0.49, 0.5, 0.9]) == 0.6


def test_confidence_that_tells_the_truth_has_no_error() -> None:
    assert calibration_error([(0.5, True), (0.5, False)]) == 0
    assert calibration_error([(0.95, False), (0.05, False)]) == pytest.approx(0.5)


def test_a_table_has_a_row_a_figure_and_a_dash_for_what_is_not_known() -> None:
    unknown = replace(RIGHT, question=replace(ABLE, fact=""))
    rows = table({"manual": figures([RIGHT, FALSE]), "other": figures([unknown])}).splitlines()
    assert rows[0] == "|  | manual | other |"
    assert "| fact in the answer | 100% | – |" in rows


def test_a_failure_is_shown_with_its_fact_and_a_success_is_not() -> None:
    assert list(failure(RIGHT)) == []
    assert any("10 MB" in line for line in failure(replace(RIGHT, right=False, text="It is large. [1]")))
    assert any("How wide?" in line for line in failure(FALSE))


def test_a_set_that_is_kept_for_the_end_has_nothing_for_the_working_half() -> None:
    kept = find_set("gimp")
    with pytest.raises(Unavailable, match="gimp: none of its questions is of the half 'work'"):
        of_half(kept, "work", frozenset())
    assert len(of_half(kept, "held", frozenset({"gimp-01"}))) == 62 + 31 - 1
