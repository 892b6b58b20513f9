"""What belongs together is read together: a definition with its term, a row with its header, a list or
code with the sentence that announces it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import WordEmbedder
from support.loader_samples import document as loaded

from rag.chunkers.structure import StructureSettings
from rag.markdown import visible
from rag.types import Chunk, Document

ANY = settings(deadline=None, max_examples=60)


def cut(given: Document | str, tokens: int = 48) -> Sequence[Chunk]:
    chunker = StructureSettings(tokens=tokens).build(WordEmbedder())
    return chunker.chunk(Document("d", given, "d.md", {}, "markdown") if isinstance(given, str) else given)


def shown(chunk: Chunk) -> str:
    """What a reader of the passage sees, with what belongs to it from above."""
    return visible(chunk.lead + dedent(chunk.text))


def squeezed(text: str) -> str:
    return "".join(text.split())


SENTENCE = "The dome opens at dusk and closes at dawn. "

# --- definitions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "- **`dome_open`**\n\n  Opens it.\n\n- **`dome_close`**\n\n  " + SENTENCE * 12,
        "`dome_open`\n:   Opens it.\n\n`dome_close`\n:   " + SENTENCE * 6 + "\n\n    " + SENTENCE * 6,
        "`dome_open`\n\n:   Opens it.\n\n`dome_close`\n\n:   " + SENTENCE * 6 + "\n\n    " + SENTENCE * 6,
    ],
    ids=["bold items", "Markdown Extra", "Markdown Extra, loose"],
)
def test_each_piece_of_a_long_definition_has_its_term(text: str) -> None:
    first, *pieces = cut(text)
    assert "dome_open" in first.text
    assert len(pieces) > 2
    assert pieces[0].text.lstrip("- ").startswith(("**`dome_close`**", "`dome_close`"))
    for piece in pieces:
        assert piece.headings == ("dome_close",)
        assert "dome_close" in piece.reading
    assert pieces[0].reading.count("dome_close") == 1


def test_terms_of_one_definition_are_named_together() -> None:
    *_, last = cut("# Options\n\n- **-a**\n  **--all_of**\n\n  " + SENTENCE * 12)
    assert last.headings == ("Options", "-a, --all_of")


def test_a_definition_within_another_has_both_terms() -> None:
    *_, last = cut(f"- **outer**\n\n  {SENTENCE}\n\n  - **inner**\n\n    " + SENTENCE * 12)
    assert last.headings == ("outer", "inner")


def test_short_definitions_share_a_passage_but_none_is_cut() -> None:
    text = "\n\n".join(f"- **`set_{n}`**\n\n  {SENTENCE.strip()}" for n in range(20))
    for chunk in cut(text):
        assert chunk.text.count("**`set_") == chunk.text.count(SENTENCE.strip()) > 1


# --- tables, code, lists --------------------------------------------------------------------------


def test_a_piece_of_a_table_begins_with_its_header_and_no_row_is_cut() -> None:
    rows = [f"| {n} | room number {n} |" for n in range(40)]
    first, *others = cut("\n".join(["| Key | Room |", "| --- | --- |", *rows]))
    assert others
    for chunk in (first, *others):
        assert chunk.reading.startswith("| Key | Room |\n")
        assert all(re.fullmatch(r"\|.*\|", line) for line in chunk.text.split("\n"))
        assert shown(chunk).startswith("Key\nRoom\n")
    assert [chunk.lead for chunk in others] == ["| Key | Room |\n| --- | --- |\n"] * len(others)


def test_a_piece_of_code_is_code() -> None:
    lines = [f"dome_{n} = *open({n})* # {n}" for n in range(30)]
    chunks = cut("```sh\n" + "\n".join(lines) + "\n```")
    assert len(chunks) > 1
    for chunk in chunks:
        assert chunk.text.strip("`\nsh ")
        assert all(line in lines for line in shown(chunk).split("\n"))


def test_code_that_only_its_indentation_tells_is_code_in_each_of_its_pieces() -> None:
    lines = [f"dome_{n} = *open({n})* # {n}" for n in range(30)]
    filler = SENTENCE * 4
    chunks = cut(f"{filler}\n\n" + "\n".join(f"    {line}" for line in lines) + f"\n\n{filler}")
    pieces = [chunk for chunk in chunks if "dome_" in chunk.text]
    assert len(pieces) > 1
    assert [line for piece in pieces for line in shown(piece).split("\n")] == lines


def test_what_announces_goes_along() -> None:
    filler = SENTENCE * 3
    for carried in ("- one\n- two\n- three", "```\nopen\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |"):
        chunk = next(c for c in cut(f"{filler}\n\nWear this:\n\n{carried}\n\n{filler}") if carried in c.text)
        assert f"Wear this:\n\n{carried}" in chunk.text


def test_the_announcement_of_a_long_list_is_read_with_each_of_its_pieces() -> None:
    items = "\n".join(f"- item number {n} of the long list" for n in range(30))
    first, *others = cut(f"Before you climb, check:\n\n{items}")
    assert first.text.startswith("Before you climb, check:")
    for chunk in others:
        assert chunk.lead == "Before you climb, check:\n\n"
        assert all(line.startswith("- item") for line in chunk.text.split("\n"))


def test_a_heading_or_label_is_never_the_end_of_a_passage() -> None:
    text = f"{SENTENCE * 3}\n\n## Dome\n\n**Note**\n\n{SENTENCE * 3}\n\n### Motor\n\n{SENTENCE * 9}"
    for chunk in cut(text):
        assert not re.search(r"(^|\n)(#+ \w+|\*\*Note\*\*)\s*\Z", chunk.text)


# --- titles and anchors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "heading", "path"),
    [
        ("20.4. Password\u00a0Files", "20.4. Password Files", ("20.4. Password Files",)),
        ("Options — Dome 3.1 documentation", "Options", ("Options",)),
        ("Dome manual", "Options", ("Dome manual", "Options")),
        ("Options (2021)", "Options", ("Options (2021)",)),
        ("Optionsx", "Options", ("Optionsx", "Options")),
    ],
)
def test_a_title_is_not_said_twice(title: str, heading: str, path: tuple[str, ...]) -> None:
    page = loaded("a.html", f"<title>{title}</title><h1>{heading}</h1><p>Text.</p>")
    assert cut(page)[0].headings == path


def test_names_in_headings_keep_their_underscores_and_stars() -> None:
    page = loaded("a.html", "<h1>The <code>pg_hba.conf</code> File</h1><h2>*args and _x_</h2><p>Text.</p>")
    assert cut(page)[0].headings == ("The pg_hba.conf File",)
    assert cut("# `pg_hba.conf`\n\n## count(*) of a_b\n\n" + SENTENCE * 9)[-1].headings == (
        "pg_hba.conf",
        "count(*) of a_b",
    )


def test_a_passage_has_the_nearest_anchor_at_or_above_its_start() -> None:
    page = loaded(
        "a.html",
        f"<h1 id=top>Dome</h1><p>{SENTENCE * 6}</p><dl><dt id=opt-a>a<dd>{SENTENCE * 5}"
        f"<dt id=opt-b>b<dd>{SENTENCE * 9}</dl>",
    )
    found = {chunk.anchor: chunk.text for chunk in reversed(cut(page))}
    assert found["top"].startswith("# Dome")
    assert found["opt-a"].startswith("- **a**")
    assert found["opt-b"].startswith("- **b**")


# --- any page -------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a_b", "-x, --ex", "count(*)", "`tick`", "#define", "1.", "<tag>", "Ångström"])
WORDS = st.lists(NAMES, min_size=1, max_size=30).map(" ".join)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


PARAGRAPH = WORDS.map(lambda words: f"<p>{_escaped(words)}</p>")
CODE = st.lists(NAMES, min_size=1, max_size=40).map(
    lambda lines: f"<pre>{_escaped(chr(10).join(lines))}</pre>"
)
TABLE = st.lists(st.tuples(NAMES, WORDS), min_size=1, max_size=8).map(
    lambda rows: (
        "<table><tr><th>Kopf<th>Text"
        + "".join(f"<tr><td>{_escaped(a)}<td>{_escaped(b)}" for a, b in rows)
        + "</table>"
    )
)
LEAF = st.one_of(PARAGRAPH, PARAGRAPH, CODE, TABLE)
NESTED = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(
            lambda items: f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
        ),
        st.lists(st.tuples(st.integers(0, 999), inner), min_size=1, max_size=4).map(
            lambda items: f"<dl>{''.join(f'<dt>term{n}<dd>{body}' for n, body in items)}</dl>"
        ),
    ),
    max_leaves=6,
)
PAGES = st.lists(
    st.one_of(NESTED, WORDS.map(lambda w: f"<h2>{_escaped(w)}</h2>")), min_size=1, max_size=8
).map("".join)


@ANY
@given(page=PAGES, tokens=st.sampled_from([24, 40, 64]))
def test_of_any_page_nothing_is_lost_orphaned_or_bare(page: str, tokens: int) -> None:
    from rag.loaders.html import read

    text = read(page).text
    given = Document("d", text, "d.html", {}, "markdown")
    chunks = cut(given, tokens)
    assert without_fences("".join(chunk.text for chunk in chunks)) == without_fences(text)
    for chunk in chunks:
        assert given.text[chunk.start : chunk.end] == chunk.text
        assert not re.fullmatch(r"\s*`{3,}\s*", chunk.text)
        assert set(terms_above(text, chunk.start)) <= set(", ".join(chunk.headings).split(", "))


def without_fences(text: str) -> str:
    return squeezed(text).replace("```", "")


def terms_above(text: str, start: int) -> list[str]:
    """Of the definitions in which the line at an offset stands, told by its indentation alone."""
    line = text[start:].split("\n", 1)[0]
    depth, found = len(line) - len(line.lstrip()), []
    for above in reversed(text[:start].split("\n")):
        indent = len(above) - len(above.lstrip())
        if above.strip() and indent < depth:
            depth = indent
            found += re.findall(r"- \*\*(term\d+)\*\*", above)
    return found
