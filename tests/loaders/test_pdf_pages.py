"""A PDF's own words: without running heads, dotted contents and index, with its outline as headings."""

from __future__ import annotations

from collections.abc import Iterable

from fpdf import FPDF
from support.loader_samples import document, pdf

from rag.loaders.pdf_lines import Line, plain_line
from rag.loaders.pdf_pages import without_furniture
from rag.markdown import titles


def manual() -> bytes:
    """Three pages with running head and foot, and an outline."""
    made = FPDF()
    made.set_font("helvetica", size=12)
    for number, chapter in enumerate(["Opening", "Closing", "Greasing"], start=1):
        made.add_page()
        made.cell(0, 8, "Dome manual, owned by Ada", new_x="LMARGIN", new_y="NEXT")
        made.start_section(f"{number} {chapter}")
        made.multi_cell(
            0, 8, f"{number} {chapter}\n{chapter} takes {number} minutes.", new_x="LMARGIN", new_y="NEXT"
        )
        made.cell(0, 8, f"Page {number} of 3", new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())


def lines(*pages: str) -> list[list[Line]]:
    return [[plain_line(line) for line in page.split("\n")] for page in pages]


def told(pages: Iterable[Iterable[Line]]) -> list[str]:
    return ["\n".join(line.text for line in page) for page in pages]


def test_what_every_page_repeats_is_said_once_and_page_numbers_never() -> None:
    found = document("a.pdf", manual())
    assert found.text.count("Dome manual, owned by Ada") == 1
    assert "Page 2" not in found.text
    assert "Closing takes 2 minutes." in found.text
    assert found.furniture == 4


def test_the_outline_becomes_the_headings() -> None:
    found = document("a.pdf", manual())
    assert [(level, title) for _, level, title in titles(found.text)] == [
        (1, "1 Opening"),
        (1, "2 Closing"),
        (1, "3 Greasing"),
    ]


def test_two_pages_repeat_nothing() -> None:
    found = document("a.pdf", pdf("The dome\nopens", "The dome\ncloses"))
    assert found.text.count("The dome") == 2
    assert found.furniture == 0


def test_dotted_contents_are_left_out() -> None:
    contents = "\n".join(f"{n}.1 Chapter {n} . . . . . . . . . . {n}" for n in range(6))
    read = without_furniture(lines(f"Contents\n{contents}", "It opens at dusk. . . and closes."))
    assert told(read.lines) == ["Contents", "It opens at dusk. . . and closes."]
    assert len(read.furniture) == 6


def test_an_alphabetical_index_is_left_out() -> None:
    index = "\n".join(f"dome {chr(97 + n)}, {n}, {n + 7}" for n in range(26))
    read = without_furniture(lines("One\ntext", "Two\nmore", index))
    assert told(read.lines)[2] == ""
    assert len(read.furniture) == 26


def test_a_word_broken_at_the_end_of_a_line_is_one_where_the_document_has_it_whole() -> None:
    read = without_furniture(lines("The shut-\nter opens.", "A shutter of well-\nknown make."))
    assert told(read.lines) == ["The shutter\nopens.", "A shutter of well-\nknown make."]


def test_a_head_that_counts_the_pages_is_left_out_whatever_else_it_says() -> None:
    pages = [f"{n + 7} Part {'abcde'[n]}\n{'abcde'[n] * 3} text\nand {'edcba'[n] * 3}" for n in range(5)]
    read = without_furniture(lines(*pages))
    assert read.furniture == tuple(f"{n + 7} Part {'abcde'[n]}" for n in range(5))


def test_numbers_that_do_not_count_the_pages_stay() -> None:
    pages = [f"{'abcd'[n % 4] * 3} {n}\ntakes a while\nand {n * n}{'dcba'[n % 4]}" for n in (3, 5, 8, 14)]
    assert without_furniture(lines(*pages)).furniture == ()
