"""Passages: none too long to be read, nothing lost between them, each with its place in the document."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import WordEmbedder

from rag.chunkers.headings import outline, titles
from rag.chunkers.structure import StructureSettings, counter
from rag.chunkers.tree import blocks
from rag.chunkers.whole import WholeSettings
from rag.embedders.hosted import estimated_tokens
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.errors import ConfigError
from rag.protocols import Embedder
from rag.types import Chunk, Document, Markup, Metadata

if TYPE_CHECKING:
    from rag.protocols import Sizer

ANY = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


class Measured(WordEmbedder):
    """Measures as it is told to."""

    def __init__(self, sizer: Callable[[str], int], window: int = 64, prompt: str = "") -> None:
        super().__init__()
        self.card = replace(self.card, window=window, passage_prompt=prompt)
        self._sizer = sizer

    def sizer(self) -> Callable[[str], int]:
        return self._sizer


def document(
    text: str, markup: Markup = "markdown", pages: tuple[int, ...] = (), **metadata: str
) -> Document:
    held: Metadata = {**metadata}
    return Document("d", text, "d.md", held, markup, pages)


def cut(text: str | Document, embedder: Embedder | None = None, **chunker: object) -> Sequence[Chunk]:
    made = StructureSettings.model_validate({"tokens": 24, **chunker}).build(embedder or WordEmbedder())
    return made.chunk(text if isinstance(text, Document) else document(text))


def assert_sound(
    chunks: Sequence[Chunk], given: Document, sizer: Sizer, budget: int, overlap: bool = False
) -> None:
    count = counter(sizer)
    at = 0
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert given.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip()
        assert chunk.reading.endswith(chunk.text)
        assert count(chunk.reading) <= budget
        if overlap:
            assert chunk.end > at
            assert not given.text[at : max(at, chunk.start)].strip()
        else:
            assert chunk.start >= at
            assert not given.text[at : chunk.start].strip().strip("`~")
        at = chunk.end
    assert not given.text[at:].strip().strip("`~")
    assert len({chunk.id for chunk in chunks}) == len(chunks)


# --- any text -------------------------------------------------------------------------------------

MARKS = st.sampled_from(
    [
        "\n",
        "\n\n",
        "\r\n",
        "# ",
        "## Deep\n",
        "```\n",
        "| a | b |\n|---|---|\n",
        "- item\n",
        "> ",
        " ",
        "\t",
        "---\n",
    ]
)
WORDS = st.one_of(
    st.text(max_size=12), st.sampled_from(["dome", "Ångström", "数学", "🔭🔭", "e\u0301" * 5, "\u202eabc"])
)
RUNS = st.builds(
    lambda word, times: word * times,
    st.sampled_from(["x", "ab ", "= ", "é", "🔭", " ", "\n"]),
    st.integers(1, 900),
)
TEXTS = st.lists(st.one_of(MARKS, WORDS, WORDS, RUNS), max_size=40).map("".join)
TITLES = st.one_of(st.just(""), st.text(max_size=200), st.just("x" * 3000))
SIZERS: dict[str, Callable[[str], int]] = {
    "words": WordEmbedder().sizer(),
    "characters": len,
    "hosted": estimated_tokens,
}


@ANY
@given(
    text=TEXTS, title=TITLES, markup=st.sampled_from(["markdown", "text"]), sizer=st.sampled_from([*SIZERS])
)
def test_spans_tile_any_text_and_no_reading_is_over_the_budget(
    text: str, title: str, markup: Markup, sizer: str
) -> None:
    given = document(text, markup, title=title)
    embedder = Measured(SIZERS[sizer])
    assert_sound(cut(given, embedder, tokens=50), given, SIZERS[sizer], 48)


@ANY
@given(text=TEXTS, title=TITLES, markup=st.sampled_from(["markdown", "text"]))
def test_what_the_bundled_model_reads_of_any_text_fits_its_window(
    embedder: SentenceTransformersEmbedder, text: str, title: str, markup: Markup
) -> None:
    given = document(text, markup, title=title)
    chunks = cut(given, embedder, tokens=10_000)
    assert_sound(chunks, given, embedder.sizer(), embedder.card.window - 2)


@ANY
@given(text=TEXTS, overlap=st.integers(1, 10))
def test_with_overlap_passages_share_text_and_still_lose_none(text: str, overlap: int) -> None:
    given = document(text, "text")
    assert_sound(cut(given, overlap=overlap), given, WordEmbedder().sizer(), 22, overlap=True)


BLOB = base64.b64encode(random.Random(1).randbytes(30_000)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5000,
        " ".join(["y" * 5000] * 4),
        BLOB,
        f"Before the blob. {BLOB} After the blob.",
        # A run of words that is just short of the limit on characters, then a word that is cut by it.
        "a b c d e f g " * 40 + "z" * 10_000,
        "# Blob\n\n```\n" + "\n".join(BLOB[i : i + 76] for i in range(0, 9000, 76)) + "\n```\n",
        "word" + " " * 20_000 + "word",
        "\n" * 5000 + "end",
        "数学" * 3000,
        "🔭" * 3000,
        "e\u0301" * 3000,
        "\u0301" * 3000,
        "a\r\nb\r\n\r\n# c\r\nd" * 200,
        "| " + " | ".join("column" for _ in range(400)) + " |\n" + "|---" * 400 + "|\n",
        "\ufeff\u200b\u00a0\u2028\u2029" * 500 + "x",
    ],
)
@pytest.mark.parametrize("markup", ["markdown", "text"])
def test_texts_without_a_natural_end_are_cut_within_the_window(
    embedder: SentenceTransformersEmbedder, text: str, markup: Markup
) -> None:
    given = document(text, markup, title="A title " * 40)
    chunks = cut(given, embedder, tokens=256)
    assert_sound(chunks, given, embedder.sizer(), 254)
    assert max(len(chunk.reading) for chunk in chunks) < 256 * 16


def test_a_passage_prompt_is_part_of_what_must_fit() -> None:
    embedder = Measured(SIZERS["words"], window=40, prompt="represent this passage for retrieval: ")
    chunks = cut("dome " * 200, embedder, tokens=40)
    assert max(SIZERS["words"](embedder.card.passage_prompt + chunk.reading) for chunk in chunks) == 38


@pytest.mark.parametrize(
    ("chunker", "window", "prompt"),
    [({"tokens": 9}, 64, ""), ({}, 9, ""), ({"overlap": 11}, 64, ""), ({}, 64, "word " * 60)],
)
def test_settings_that_leave_no_room_for_text_are_refused(
    chunker: dict[str, object], window: int, prompt: str
) -> None:
    with pytest.raises(ConfigError, match="leaves no room for text"):
        cut("dome", Measured(SIZERS["words"], window, prompt), **chunker)


# --- where a passage stands -----------------------------------------------------------------------

MANUAL = """\
# Manual

Intro.

## Dome

Open it at dusk.

#### Motor

Grease it twice.

## Lens

Wipe it with care.
"""


def paths(text: str) -> list[tuple[str, ...]]:
    return [*outline(titles(blocks(text))).paths]


def test_a_heading_path_is_what_stands_above_and_levels_can_be_skipped() -> None:
    chunks = cut(MANUAL, tokens=16)
    assert {chunk.text.split("\n")[-1]: chunk.headings for chunk in chunks} == {
        "Intro.": ("Manual",),
        "Open it at dusk.": ("Manual", "Dome"),
        "Grease it twice.": ("Manual", "Dome", "Motor"),
        "Wipe it with care.": ("Manual", "Lens"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One\n===\ntext\n\nTwo\n---\n", [("One",), ("One", "Two")]),
        ("# One #\n## Two ##\n", [("One",), ("One", "Two")]),
        ("# C#\n", [("C#",)]),
        ("   # Indented\n", [("Indented",)]),
        ("# **Bold** `code` [link](http://x)\n", [("Bold code link",)]),
        ("# a\r\n## b\r\n", [("a",), ("a", "b")]),
        ("### deep\n# top\n", [("deep",), ("top",)]),
        ("#hashtag\n####### seven\n#\n    # code\n\ttext\n---\n", []),
        ("```\n# no\n```\n# yes\n", [("yes",)]),
        ("```python\n# no\n```python\n# no\n```\n# yes\n", [("yes",)]),
        ("~~~\n```\n# no\n~~~\n# yes\n", [("yes",)]),
        ("```inline```\n# yes\n", [("yes",)]),
        ("````\n```\n# no\n````\n# yes\n", [("yes",)]),
        ("```\nnever closed\n# no\n", []),
        ("```\ncode\n```\n---\n# yes\n", [("yes",)]),
        ("- item\n---\n* item\n---\n1. item\n---\n  - item\n---\n", []),
        ("| a |\n---\n> said\n---\n\n---\ntext\n", []),
        ("**Bold title**\n---\n", [("Bold title",)]),
    ],
)
def test_only_headings_are_headings(text: str, expected: list[tuple[str, ...]]) -> None:
    assert paths(text) == expected


def test_a_hash_in_plain_text_is_no_heading() -> None:
    (chunk,) = cut(document("# not a heading\ntext", "text"))
    assert chunk.headings == ()
    assert chunk.reading == chunk.text


def test_the_headings_are_read_in_front_of_the_text_but_are_no_part_of_it() -> None:
    *_, last = cut(MANUAL + "\n" + "More on the lens. " * 10, tokens=16)
    assert last.headings == ("Manual", "Lens")
    assert last.reading == f"Manual > Lens\n{last.text}"
    assert "Manual" not in last.text


def test_a_heading_that_the_text_begins_with_is_not_read_twice() -> None:
    chunk = next(chunk for chunk in cut(MANUAL, tokens=16) if chunk.text.startswith("#### Motor"))
    assert chunk.reading == f"Manual > Dome\n{chunk.text}"


def test_without_headings_only_the_text_is_read() -> None:
    for chunk in cut(MANUAL, headings=False, tokens=12):
        assert chunk.reading == chunk.text


def test_the_title_of_the_document_stands_in_front_unless_the_path_begins_with_it() -> None:
    assert cut(document("## Lens\n\nWipe it.", title="Manual"))[0].headings == ("Manual", "Lens")
    assert cut(document("# Manual\n\nWipe it.", title="Manual"))[0].headings == ("Manual",)
    assert cut(document("Wipe it.", "text", title="Manual"))[0].reading == "Manual\nWipe it."
    assert cut(document("Wipe it.", "text", title="  "))[0].reading == "Wipe it."


def test_a_long_heading_path_is_cut_to_its_budget_from_the_middle() -> None:
    text = (
        "".join(f"{'#' * level} Level {level} has a long name\n\n" for level in range(1, 7))
        + "The end. " * 30
    )
    chunks = cut(text, tokens=64, heading_tokens=16)
    last = chunks[-1]
    assert len(last.headings) == 6
    assert last.reading.startswith("Level 1 has a long name > Level 6 has a long name\n")


def test_a_title_without_end_leaves_room_for_the_text() -> None:
    for title in ("word " * 500, "x" * 5000):
        chunks = cut(document("dome " * 100, "text", title=title), heading_tokens=8)
        assert all(len(chunk.reading) - len(chunk.text) <= 8 * 12 + 1 for chunk in chunks)
        assert len(chunks) < 10


def test_a_passage_has_the_page_it_starts_on() -> None:
    pages = ["First page. " * 8, "Second page. " * 8, "", "Fourth page. " * 8]
    starts, text = [], ""
    for page in pages:
        starts.append(len(text))
        text += page + "\n\n"
    for chunk in cut(document(text, "text", tuple(starts))):
        word = re.split(r"[ .]", chunk.text)[0]
        assert chunk.page == {"First": 1, "Second": 2, "Fourth": 4}.get(word, chunk.page)
        assert chunk.page == max(number for number, start in enumerate(starts, 1) if start <= chunk.start)
    assert cut("no pages")[0].page is None


def test_a_short_table_and_a_short_code_block_stay_in_one_piece() -> None:
    table = "| night | seeing |\n|-------|--------|\n| 1 | 0.8 |\n| 2 | 1.1 |"
    code = "```sh\ndome open\ndome close\n```"
    text = (
        "Some words before it. " * 3
        + f"\n\n{table}\n\n"
        + "Some words after it. " * 3
        + f"\n\n{code}\n\nEnd."
    )
    texts = [chunk.text for chunk in cut(text, tokens=40)]
    assert any(table in text for text in texts)
    assert any(code in text for text in texts)


def test_the_same_document_is_always_cut_the_same_and_another_one_has_other_ids() -> None:
    assert cut(MANUAL) == cut(MANUAL)
    other = replace(document(MANUAL), id="other")
    assert not {chunk.id for chunk in cut(MANUAL)} & {chunk.id for chunk in cut(other)}


def test_the_fingerprint_changes_with_whatever_changes_the_cut() -> None:
    variants: list[dict[str, object]] = [
        {},
        {"tokens": 30},
        {"overlap": 4},
        {"headings": False},
        {"heading_tokens": 9},
    ]
    prints = {
        StructureSettings.model_validate({"tokens": 24, **variant}).build(WordEmbedder()).fingerprint
        for variant in variants
    }
    whole = {WholeSettings(kind="whole", headings=h).build(WordEmbedder()).fingerprint for h in (True, False)}
    assert len(prints | whole) == 7


# --- whole ----------------------------------------------------------------------------------------


def test_a_whole_document_is_one_passage_with_its_title_in_front() -> None:
    chunker = WholeSettings(kind="whole").build(WordEmbedder())
    (chunk,) = chunker.chunk(document(MANUAL * 50, title="Handbook"))
    assert (chunk.text, chunk.start, chunk.end) == (MANUAL * 50, 0, len(MANUAL) * 50)
    assert chunk.reading == f"Handbook\n{chunk.text}"
    assert chunker.chunk(document(" \n ")) == []


def test_a_whole_document_is_read_without_its_title_where_headings_are_off() -> None:
    (chunk,) = (
        WholeSettings(kind="whole", headings=False).build(WordEmbedder()).chunk(document("x", title="T"))
    )
    assert chunk.reading == "x"


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(["a line of words that is no definition " * 12] * 40),
        "**" + "`" * 400 + "x**",
        ": a\n" * 3000,
    ],
    ids=["lines", "backticks", "colons"],
)
def test_no_text_takes_long_to_be_cut(text: str, embedder: SentenceTransformersEmbedder) -> None:
    """Patterns that try every way to split a line would take hours for these."""
    started = time.process_time()
    StructureSettings().build(embedder).chunk(Document("d", text, "d.md", {}, "markdown"))
    assert time.process_time() - started < 20
