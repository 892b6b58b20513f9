"""What a PDF only shows becomes structure: terms and definitions, lists, code, paragraphs over pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from support.loader_samples import document, page

from rag.loaders.pdf_geometry import measure, place
from rag.loaders.pdf_headings import headings
from rag.loaders.pdf_layout import write
from rag.loaders.pdf_lines import Line, Word
from rag.markdown import titles, visible

LEFT, STEP = 72.0, 57.6


class Sheet:
    """Lines set where they are wanted, in points."""

    def __init__(self) -> None:
        self._made = FPDF(unit="pt")
        self._made.set_auto_page_break(False)
        self.turn()

    def turn(self) -> None:
        self._made.add_page()
        self._y = 72.0

    def line(
        self, text: str, x: float = LEFT, font: str = "times", size: float = 11, down: float = 13
    ) -> None:
        self._y += down
        self.beside(text, x, font, size)

    def beside(self, text: str, x: float, font: str = "times", size: float = 11) -> None:
        self._made.set_font(font, size=size)
        self._made.text(x, self._y, text)

    def lines(self, texts: Sequence[str], x: float = LEFT, down: float = 20) -> None:
        for at, text in enumerate(texts):
            self.line(text, x, down=13 if at else down)

    def define(self, term: str, *lines: str, x: float = LEFT) -> None:
        """The term beside its definition, in letters of one width."""
        self.line(term, x, "courier", down=20)
        self.beside(lines[0], x + STEP)
        for text in lines[1:]:
            self.line(text, x + STEP)

    def read(self) -> str:
        return document("a.pdf", bytes(self._made.output())).text


def test_a_term_beside_its_definition_is_one_definition() -> None:
    sheet = Sheet()
    sheet.define("SHELL", "This names the shell that is", "started in a new window.")
    sheet.define("PPID", "The id of the parent, as long", "as it lives, and no longer.")
    sheet.define("UID", "The id of the user.")
    assert sheet.read() == (
        "- **`SHELL`**\n\n  This names the shell that is\n  started in a new window.\n\n"
        "- **`PPID`**\n\n  The id of the parent, as long\n  as it lives, and no longer.\n\n"
        "- **`UID`**\n\n  The id of the user."
    )


def test_terms_above_their_definition_are_its_terms() -> None:
    sheet = Sheet()
    for terms in (["--quiet", "-q"], ["--verbose"]):
        for at, term in enumerate(terms):
            sheet.line(term, LEFT, "courier", down=13 if at else 20)
        sheet.lines(["Says as much as was asked", "for, and nothing else."], LEFT + STEP, down=13)
    assert sheet.read() == (
        "- **`--quiet`**\n  **`-q`**\n\n  Says as much as was asked\n  for, and nothing else.\n\n"
        "- **`--verbose`**\n\n  Says as much as was asked\n  for, and nothing else."
    )


def test_definitions_within_a_definition_stand_in_it() -> None:
    sheet = Sheet()
    sheet.define("set", "Sets what follows, which is", "one of these options:")
    sheet.define("-e", "Ends at the first command", "that fails.", x=LEFT + STEP)
    sheet.define("-u", "Takes names without a value", "for errors.", x=LEFT + STEP)
    sheet.define("shift", "Moves the parameters down", "by one.")
    lines = sheet.read().split("\n")
    assert [line for line in lines if "**" in line] == [
        "- **`set`**",
        "  - **`-e`**",
        "  - **`-u`**",
        "- **`shift`**",
    ]


def test_a_definition_goes_on_over_the_page() -> None:
    sheet = Sheet()
    sheet.define("SHELL", "This names the shell that is", "started in a new window.")
    sheet.define("PPID", "The id of the parent, as long", "as it lives, which may be")
    sheet.turn()
    sheet.lines(["shorter than one thinks."], LEFT + STEP)
    sheet.define("UID", "The id of the user.")
    found = sheet.read()
    assert "as it lives, which may be\n  shorter than one thinks.\n\n- **`UID`**" in found


def test_a_page_begins_where_its_first_line_does() -> None:
    sheet = Sheet()
    sheet.lines(["The dome opens at dusk and", "closes when the wind"])
    sheet.turn()
    sheet.lines(["is stronger than allowed.", "Nobody may stay inside."])
    found = document("a.pdf", bytes(sheet._made.output()))
    assert found.text == "\n".join(
        [
            "The dome opens at dusk and",
            "closes when the wind",
            "is stronger than allowed.",
            "Nobody may stay inside.",
        ]
    )
    assert page(found, 1).startswith("is stronger")


def test_code_keeps_its_lines_and_what_indents_them() -> None:
    sheet = Sheet()
    sheet.lines(["A loop is written so, with", "its body between two words:"])
    for at, (text, indent) in enumerate([("while true; do", 0), ("echo *_*", 2), ("done", 0)]):
        sheet.line(text, LEFT + 24 + indent * 6.6, "courier", down=13 if at else 20)
    sheet.lines(["It ends when it is stopped."])
    assert "between two words:\n\n```\nwhile true; do\n  echo *_*\ndone\n```\n\nIt ends" in sheet.read()


def test_a_word_in_letters_of_one_width_is_code() -> None:
    sheet = Sheet()
    sheet.line("Use ")
    sheet.beside("count(*)", LEFT + 30, "courier")
    sheet.beside("to count.", LEFT + 120)
    sheet.lines(["And nothing but that, as it", "would be slow otherwise."])
    assert sheet.read().startswith("Use `count(*)` to count.")


def test_what_is_all_in_letters_of_one_width_is_text() -> None:
    sheet = Sheet()
    for text in ("A typewriter knows one width", "of letters, and no other."):
        sheet.line(text, font="courier")
    assert "```" not in sheet.read()


def test_paragraphs_are_told_by_distance_and_by_their_first_line() -> None:
    sheet = Sheet()
    sheet.lines(["The first paragraph is long", "enough to have two lines."])
    sheet.lines(["The second one stands apart", "from it, and has two."])
    sheet.line("The third one is set in,", LEFT + 15)
    sheet.line("and follows at once.")
    assert [len(block.split("\n")) for block in sheet.read().split("\n\n")] == [2, 2, 2]


def test_bullets_and_numbers_are_lists() -> None:
    sheet = Sheet()
    sheet.lines(["Before you start, do this,", "and nothing else:"])
    for number, step in enumerate(["Close the dome.", "Call the operator.", "Go home."], start=1):
        sheet.line(f"{number}. {step}", down=18)
    sheet.lines(["Then rest until the night", "begins again."])
    assert "\n\n1. Close the dome.\n\n2. Call the operator.\n\n3. Go home.\n\nThen rest" in sheet.read()


def test_a_sentence_that_ends_in_a_number_begins_no_list() -> None:
    sheet = Sheet()
    sheet.lines(["The last dome was built in", "1998. It has never failed", "since then, as far as known."])
    assert sheet.read().count("\n\n") == 0
    assert visible(sheet.read()).count("1998. It") == 1


def test_larger_letters_are_headings_where_there_is_no_outline() -> None:
    sheet = Sheet()
    for chapter in ("Opening", "Closing"):
        sheet.line(chapter, size=20, down=40)
        sheet.line(f"{chapter} by hand", size=14, down=30)
        sheet.lines(["It takes two people and", "about ten minutes."])
    assert [(level, title) for _, level, title in titles(sheet.read())] == [
        (1, "Opening"),
        (2, "Opening by hand"),
        (1, "Closing"),
        (2, "Closing by hand"),
    ]


def test_marks_in_a_pdf_are_its_own_words() -> None:
    sheet = Sheet()
    sheet.lines(["# no heading", "* no list, *no stress*, <b>", "a_name and __init__ | a bar"])
    shown = visible(sheet.read()).replace("\n", " ")
    assert shown == "# no heading * no list, *no stress*, <b> a_name and __init__ | a bar"


def test_numbers_that_hang_are_a_list_and_a_name_of_one_letter_is_a_term() -> None:
    sheet = Sheet()
    for number in ("1.", "2."):
        sheet.line(number, down=20)
        sheet.beside("Turn the key to the right, and", LEFT + STEP)
        sheet.line("wait for the light.", LEFT + STEP)
    sheet.define("*", "Stands for all of them, if", "there are any.")
    sheet.define("@", "Stands for each of them, as", "a word of its own.")
    told = sheet.read()
    assert told.startswith("1. Turn the key to the right, and\n   wait for the light.\n\n2. Turn")
    assert "- **`*`**\n\n  Stands for all" in told


def test_rows_that_are_aligned_with_their_head_are_a_table() -> None:
    sheet = Sheet()
    sheet.lines(["The circuits have colours and", "are fed by these:"])
    rows = [
        ("Circuit", "Colour", "Feeds"),
        ("Clean", "blue", "tracker, mirror"),
        ("", "", "covers"),
        ("Heavy", "red", "a|b"),
    ]
    for row in rows:
        sheet.line(row[0] or " ", down=18)
        for at, cell in enumerate(row[1:], start=1):
            sheet.beside(cell, LEFT + at * 120)
    sheet.lines(["After the last row the text", "goes on."])
    assert "these:\n\n| Circuit | Colour | Feeds |\n| --- | --- | --- |\n" in sheet.read()
    assert (
        "| Clean | blue | tracker, mirror covers |\n| Heavy | red | a\\|b |\n\nAfter the last" in sheet.read()
    )


def test_a_table_goes_on_over_the_page() -> None:
    sheet = Sheet()
    for turn, rows in enumerate([["Circuit", "Clean", "Normal"], ["Heavy", "Spare"]]):
        for name in rows:
            sheet.line(name, down=18)
            sheet.beside(f"{name} colour", LEFT + 120)
            sheet.beside(f"{name} load", LEFT + 240)
        if not turn:
            sheet.turn()
    found = document("a.pdf", bytes(sheet._made.output()))
    assert found.text.count("---") == 3
    assert page_of(found.text, found.pages, 1).startswith("| Heavy | Heavy colour | Heavy load |")


def page_of(text: str, pages: Sequence[int], number: int) -> str:
    return text[pages[number] :]


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["dome", "a_b", "*", "1.", "•", "|x|", "`q`", "#", "<b>", "-x", "end."]),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=6,
)
LINES = st.tuples(
    WORDS,
    st.sampled_from([72, 90, 130, 130.4]),
    st.sampled_from([13, 13, 20, 60, -200]),
    st.booleans(),
    st.booleans(),
)
SHEETS = st.lists(
    st.lists(st.tuples(LINES, st.sampled_from([10.0, 10.0, 16.0])), max_size=9), min_size=1, max_size=4
)


@settings(max_examples=40, deadline=None)
@given(sheets=SHEETS)
def test_wherever_lines_stand_every_word_is_shown_in_its_order(
    sheets: list[list[tuple[LineOf, float]]],
) -> None:
    pages = [list(placed_at(sheet)) for sheet in sheets]
    lines = place(pages)
    usual = measure(lines)
    text, starts = write(lines, headings(lines, [(0, 1, "dome")], usual), usual, len(pages))
    shown = "".join(visible(text).split())
    # Bullets and numbers of items are marks, and so are the bars of rows.
    assert without_marks(shown) in (without_marks(said(pages)), without_marks("dome" + said(pages)))
    assert list(starts) == sorted(starts)


LineOf = tuple[list[tuple[str, int]], float, float, bool, bool]


def placed_at(sheet: list[tuple[LineOf, float]]) -> Iterator[Line]:
    y = 800.0
    for (found, x, down, mono, bold), size in sheet:
        y -= down
        words, right = list[Word](), x
        for text, gap in found:
            words.append(Word(text, right, right + 6 * len(text), mono, bold))
            right += 6 * len(text) + gap
        yield Line(" ".join(word.text for word in words), tuple(words), y, y, size)


def said(pages: Sequence[Sequence[Line]]) -> str:
    return "".join("".join(line.text.split()) for page in pages for line in page)


def without_marks(text: str) -> str:
    return re.sub(r"[|•*`#\-]|1\.", "", text)
