"""AsciiDoc's own structure: terms with definitions, lists within lists, listings, titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import WordEmbedder
from support.loader_samples import document

from rag.answers.visible import blocks as visible_blocks
from rag.chunkers import asciidoc
from rag.chunkers.structure import StructureSettings
from rag.chunkers.tree import Block
from rag.types import Document

OPTIONS = """\
tool(1)
=======

OPTIONS
-------
-q::
--quiet::
	Says little.
+
It still says what fails.

--format=<kind>::
	One of these:
+
--
'short';;
	a line each
'long';; all of it
--

[[color]]
--color::

	Paints.

This stands under no option.
"""
LISTS = """\
Do this:

* Open the dome.
** First the left half.
** Then the right one.
* Look.
+
----
look --at moon

look --at sun
----
* Close it.
"""


def flat(parts: Sequence[Block], depth: int = 0) -> Iterator[tuple[int, Block]]:
    for part in parts:
        yield depth, part
        yield from flat(part.parts, depth + 1)


def of(text: str, *forms: str) -> list[tuple[int, str]]:
    found = flat(asciidoc.blocks(text))
    return [(depth, text[part.start : part.end]) for depth, part in found if part.form in forms]


def test_terms_stay_with_their_definition_and_what_a_plus_adds_to_it() -> None:
    names = [part.name for _, part in flat(asciidoc.blocks(OPTIONS)) if part.form == "definition"]
    assert names == ["-q, --quiet", "--format=<kind>", "--color"]
    first, *_, last = of(OPTIONS, "definition")
    assert first[1] == "-q::\n--quiet::\n\tSays little.\n+\nIt still says what fails."
    assert last[1] == "[[color]]\n--color::\n\n\tPaints."


def test_another_marker_opens_a_list_within() -> None:
    text = "a::\n\tOne.\nb:::\n\tTwo.\nc:::\n\tThree.\nd::\n\tFour.\n"
    assert of(text, "definition") == [
        (0, "a::\n\tOne.\nb:::\n\tTwo.\nc:::\n\tThree."),
        (1, "b:::\n\tTwo."),
        (1, "c:::\n\tThree."),
        (0, "d::\n\tFour."),
    ]


def test_titles_are_sections() -> None:
    sections = [
        (part.level, part.name) for _, part in flat(asciidoc.blocks(OPTIONS)) if part.form == "section"
    ]
    assert sections == [(1, "tool(1)"), (2, "OPTIONS")]
    marked = [
        part.name for _, part in flat(asciidoc.blocks("= Tool\n\n== Use\n\ntext\n")) if part.form == "section"
    ]
    assert marked == ["Tool", "Use"]


def test_items_hold_what_stands_in_them() -> None:
    items = of(LISTS, "item")
    assert items[0] == (1, "* Open the dome.\n** First the left half.\n** Then the right one.")
    assert items[3] == (1, "* Look.\n+\n----\nlook --at moon\n\nlook --at sun\n----")
    assert [text for _, text in of(LISTS, "code")] == ["+\n----\nlook --at moon\n\nlook --at sun\n----"]


@pytest.mark.parametrize("text", [OPTIONS, LISTS, "----\nnever closed\n", "a::", "+\n+\n", "[x]\n", "\n\n"])
def test_the_parts_of_a_block_tile_it_and_nothing_is_lost(text: str) -> None:
    def check(parts: Sequence[Block], start: int, end: int) -> None:
        at = start
        for part in parts:
            assert not text[at : part.start].strip()
            check(part.parts, part.start, part.end)
            at = part.end
        assert not parts or not text[at:end].strip()

    parts = asciidoc.blocks(text)
    assert parts or not text.strip()
    check(parts, 0, len(text))


def test_a_text_is_taken_for_asciidoc_by_its_marks() -> None:
    assert document("a.txt", OPTIONS).markup == "asciidoc"
    assert document("a.txt", OPTIONS).metadata["title"] == "tool(1)"
    assert document("a.adoc", LISTS).markup == "asciidoc"
    for plain in (
        "It opens at dusk.\n\nAs in::\n\n    this\n\nand::\n\n    that\n",
        "std::vector\nstd::list\n",
        "Text.",
    ):
        assert document("a.txt", plain).markup == "text"


def test_ids_are_anchors() -> None:
    assert document("a.adoc", OPTIONS).anchors == ((OPTIONS.index("[[color]]"), "color"),)


def test_a_term_beside_its_definition_is_a_block_of_its_own() -> None:
    text = "'%an':: author name\n'%ae':: author email\n"
    assert [block.text for block in visible_blocks(text, "asciidoc")] == text.splitlines()


def test_many_marks_take_no_time() -> None:
    for hostile in (
        "-" * 5 + "\n",
        "----\n....\n",
        "a:: " * 3,
        ":" * 100_000,
        "[" * 50_000,
        "* x\n** y\n",
        "a::\n",
    ):
        asciidoc.blocks(hostile * (15_000 // len(hostile)))


WORDS = st.lists(
    st.sampled_from(["dome", "a_b", "--all", "count(*)", "1.", "::", "wind:"]), min_size=1, max_size=25
)
TEXT = WORDS.map(" ".join)
ENTRY = st.tuples(
    st.sampled_from(["::", ":::", ";;"]), st.integers(0, 99), TEXT, st.lists(TEXT, max_size=2)
).map(lambda made: f"term{made[1]}{made[0]}\n\t{made[2]}\n" + "".join(f"+\n{text}\n" for text in made[3]))
OTHER = st.one_of(
    TEXT.map(lambda text: f"{text}\n"),
    TEXT.map(lambda text: f"* {text}\n"),
    st.lists(TEXT, min_size=1, max_size=12).map(lambda lines: "----\n" + "\n".join(lines) + "\n----\n"),
    TEXT.map(lambda text: f"== {text}\n"),
)
SOURCES = st.lists(st.one_of(ENTRY, ENTRY, OTHER), min_size=1, max_size=12).map("\n".join)


@settings(max_examples=25, deadline=None)
@given(text=SOURCES, tokens=st.sampled_from([24, 48]))
def test_of_any_text_nothing_is_lost_and_no_definition_is_without_its_term(text: str, tokens: int) -> None:
    chunker = StructureSettings(tokens=tokens).build(WordEmbedder())
    chunks = chunker.chunk(Document("d", text, "d.adoc", {}, "asciidoc"))
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        parts = (part for _, part in flat(asciidoc.blocks(text)) if part.form == "definition")
        assert {part.name for part in parts if part.start < chunk.start < part.end} <= set(chunk.headings)
