"""What a person sees of a text, held to what a renderer of Markdown shows."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.builders import passage

from rag import Rag
from rag.answers.citations import cite, confirm
from rag.answers.units import CODE, units
from rag.answers.visible import Block, blocks, visible
from rag.types import Passage, Quote

NAMES = [
    "shared_buffers",
    "count(*)",
    "/var/lib/my_app",
    "a*b",
    "x_1",
    "~*",
    "<2",
    "__init__",
    "`",
    "|",
    "&lt;",
    "\\*",
]
WORDS = st.sampled_from(
    [*NAMES, "wind", "dome", "the", "closes", "at", "**bold**", "*thin*", "_so_", "`code_x`", "[a_b](u)"]
)
SENTENCE = st.lists(WORDS, min_size=2, max_size=9).map(lambda words: "It " + " ".join(words) + ".")
CELLS = st.lists(st.sampled_from(["a_b", "`x`", "**y**", "10 %", "~*", "one two"]), min_size=2, max_size=2)
BLOCK = st.one_of(
    SENTENCE,
    SENTENCE.map(lambda s: f"## {s}"),
    st.lists(SENTENCE, min_size=1, max_size=3).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(SENTENCE, min_size=1, max_size=4).map(
        lambda items: "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1))
    ),
    st.lists(CELLS, min_size=1, max_size=3).map(
        lambda rows: "| name | it_s |\n|---|---|\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)
    ),
    SENTENCE.map(lambda s: f"```sh\n{s}\n  more_{s}\n```"),
    SENTENCE.map(lambda s: f"It is so:\n\n> {s}"),
)
MARKDOWN = st.lists(BLOCK, min_size=1, max_size=6).map("\n\n".join)


def squeezed(text: str) -> str:
    return "".join(text.split())


def rendered(markdown: str) -> str:
    """By another way than the one that is tested: HTML, and its text."""
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    return squeezed(BeautifulSoup(html, "lxml").get_text(" "))


def shown(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in blocks(text, "markdown")]


def stands(line: str, text: str) -> bool:
    """A row's cells each; what numbers or marks an item is a renderer's own."""
    line = re.sub(r"^(?:- |\d+\. )", "", line.removeprefix(CODE))
    return all(squeezed(cell) in text for cell in line.split(" | "))


# --- marks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["shared_buffers", "count(*)", "~*", "/var/lib/my_app", "2 * 3 * 4", "a < b", "x_"]
)
def test_what_is_no_mark_stays(name: str) -> None:
    assert visible(f"Set {name} so.", "markdown") == f"Set {name} so."


def test_what_the_parser_says_is_a_mark_goes() -> None:
    text = "**Set** *the* `shared_buffers` to [16\\_MB](http://x/a_b), a_b &lt; <b>2</b>."
    assert visible(text, "markdown") == "Set the shared_buffers to 16_MB, a_b < 2."


def test_of_a_plain_text_nothing_goes() -> None:
    assert visible("Use **kwargs and `x_y`.\n", "text") == "Use **kwargs and `x_y`."


def test_a_name_in_angle_brackets_is_no_tag() -> None:
    assert visible("git clone <url> <b>now</b>", "markdown") == "git clone <url> now"


def test_code_keeps_its_lines_and_rows_their_cells() -> None:
    text = "```sh\nls *.py\n  cat a_b\n```\n\n| a | b_c |\n|---|---|\n| 1 \\| 2 | `count(*)` |\n"
    assert shown(text) == [("code", "ls *.py\n  cat a_b"), ("head", "a | b_c"), ("row", "1 | 2 | count(*)")]


def test_a_term_stands_apart_from_its_definition() -> None:
    assert shown("shared_buffers (`integer`)\n: Sets *the* amount.") == [
        ("term", "shared_buffers (integer)"),
        ("text", "Sets the amount."),
    ]
    assert shown("- **-n**, **--dry-run**\n\n  Shows it.")[1:] == [("text", "Shows it.")]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("| b_c | d |\n| e | f |", [("row", "b_c | d"), ("row", "e | f")]),
        ("y_z = a*b*c\nend\n```\nThen go on.", [("code", "y_z = a*b*c\nend"), ("text", "Then go on.")]),
        ("Run:\n```\nls *_*", [("text", "Run:"), ("code", "ls *_*")]),
    ],
)
def test_a_piece_that_begins_or_ends_within_a_table_or_code_is_read_as_what_it_is(
    piece: str, expected: list[tuple[str, str]]
) -> None:
    assert shown(piece) == expected


def test_a_piece_of_a_nested_list_is_no_code_for_all_its_indentation() -> None:
    piece = "    Some **bold** and `a_b`.\n\n    - **term**\n\n      Its *words*."
    assert visible(piece, "markdown") == "Some bold and a_b.\nterm\nIts words."
    for block in blocks(piece, "markdown"):
        assert [piece[at] for at in block.places] == list(block.text)


def test_a_plain_texts_terms_items_and_listings_are_told_apart() -> None:
    text = "Options\n-------\n\n-n::\n\tShows it.\n\n* one\n* two\n\n----\ngit add *_*\n----\n"
    assert [block.kind for block in blocks(text, "text")] == [
        "heading",
        "term",
        "text",
        "item",
        "item",
        "code",
    ]


@given(MARKDOWN)
@settings(max_examples=150, deadline=None)
def test_each_character_has_its_place_in_the_source(text: str) -> None:
    def places_are_true(block: Block) -> bool:
        pairs = zip(block.text, block.places, strict=True)
        return all(text[at] == c or c == "|" or c.isspace() or text[at] in "\\|&" for c, at in pairs)

    found = blocks(text, "markdown")
    assert all(map(places_are_true, found))
    assert all(list(block.places) == sorted(block.places) for block in found)


# --- quotations ----------------------------------------------------------------------------


@given(MARKDOWN)
@settings(max_examples=150, deadline=None)
def test_every_line_that_may_be_quoted_stands_so_in_what_a_renderer_shows(text: str) -> None:
    found = passage(0.9, text, "a.md")
    whole = rendered(text)
    for unit in units([found]):
        assert all(stands(line, whole) for line in unit.lines)
        quote = Quote(1, "\n".join(unit.lines), unit.start, unit.end)
        assert [citation.status for citation in confirm([quote], [found])] == ["ok"]


def test_every_line_that_may_be_quoted_of_the_handbook_stands_so_in_its_document(handbook: Rag) -> None:
    for entry in handbook.assembly.index.catalog.entries():
        plain = entry.document.markup == "text"
        whole = squeezed(entry.document.text) if plain else rendered(entry.document.text)
        for chunk in entry.chunks:
            found = passage(0.9, chunk.text, "a.txt" if plain else "a.md")
            lines = [line for unit in units([found]) for line in unit.lines]
            assert [line for line in lines if not stands(line, whole)] == []


def flagged(claim: str, text: str) -> str:
    (citation,) = cite(f"{claim} [1].", [passage(0.9, text, "a.md")])
    return citation.status


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Set sharedbuffers to 16", "Set `shared_buffers` to 16."),
        ("Use count() here", "Use `count(*)` here."),
        ('It says "match with ~ here"', "It says match with ~* here."),
        ('It lies in "/var/lib/myapp"', "It lies in /var/lib/my_app now."),
    ],
)
def test_a_name_that_lost_a_mark_is_flagged(claim: str, text: str) -> None:
    assert flagged(claim, text) == "quote-not-found"


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Set `shared_buffers` to 16", "Set **shared_buffers** to 16."),
        ('Use "count(*) here"', "Use `count(*)` here."),
        ('It says "the dome closes"', "It says the **dome** closes."),
    ],
)
def test_a_name_as_it_stands_is_fine(claim: str, text: str) -> None:
    assert flagged(claim, text) == "ok"


def test_a_quotation_that_does_not_stand_so_is_flagged() -> None:
    found: list[Passage] = [passage(0.9, "Set `shared_buffers` so.", "a.md")]
    said = [Quote(1, text, 0, 4) for text in ("Set sharedbuffers so.", "Set shared_buffers so.")]
    assert [citation.status for citation in confirm(said, found)] == ["quote-not-found", "ok"]
