"""BM25 over any text, for any question."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import StoreError
from rag.index.lexical import LexicalIndex, LexicalStore
from rag.types import Chunk

TEXTS = {
    "dome": "The dome opens at dusk and the dome closes at dawn.",
    "cafe": "Le café de Zürich est fermé, naïve ÅNGSTRÖM.",
    "error": "Error E-4711: shutter_stuck in /var/log/dome.log",
    "code": 'if (x == "AND") { return NOT ~y^2 * z; }',
    "arabic": "القبة تفتح عند الغسق",
    "emoji": "Launch 🚀🚀 tonight",
    "long": " ".join(f"word{i}" for i in range(400)),
}


def chunk(name: str, text: str) -> Chunk:
    return Chunk(name, "d", f"{name}.md", 0, text, 0, len(text), reading=text)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    made = LexicalStore(tmp_path_factory.mktemp("lexical")).open("family", 1)
    made.add([chunk(name, text) for name, text in TEXTS.items()])
    return made


def found(index: LexicalIndex, text: str) -> list[str]:
    return [hit.id for hit in index.search(text, 10)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("When does the dome open?", "dome"),
        ("DOMES", "dome"),
        ("cafe zurich angstrom", "cafe"),
        ("CAFÉ", "cafe"),
        ("E-4711", "error"),
        ('"shutter', "error"),
        ('AND ( " : ^ ~ * NOT return', "code"),
        ("text:dusk AND -dawn", "dome"),
        ("القبة", "arabic"),
        ("\u202eالغسق\u202c", "arabic"),
        ("🚀 launch 🚀", "emoji"),
        ("tonight\x00launch", "emoji"),
        ("dusk \ud800", "dome"),
    ],
)
def test_a_question_in_any_writing_finds_its_text(index: LexicalIndex, question: str, first: str) -> None:
    assert found(index, question)[0] == first


@pytest.mark.parametrize(
    "question", ["", " ", "\n", '"', "AND", "(((", ":^~*", "🚀", "?!…", "\x00", "\u202e"]
)
def test_a_question_without_a_word_that_stands_there_finds_nothing(tmp_path: Path, question: str) -> None:
    index = LexicalStore(tmp_path).open("family", 1)
    index.add([chunk("dome", "The dome opens.")])
    assert found(index, question) == []
    assert index.score(question, ["dome"]) == {"dome": 0.0}


def test_ten_thousand_characters_are_a_question_like_any_other(index: LexicalIndex) -> None:
    assert found(index, "dusk " * 2000) == ["dome"]
    assert found(index, f"dusk {'x' * 10_000}") == ["dome"]
    assert "long" in found(index, " ".join(f"word{i}" for i in range(2000)))


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=300))
def test_no_text_breaks_a_search_and_a_score_is_what_the_search_gave(index: LexicalIndex, text: str) -> None:
    hits = index.search(text, len(TEXTS))
    scores = index.score(text, [*TEXTS])
    assert {hit.id: hit.score for hit in hits} == pytest.approx({k: v for k, v in scores.items() if v})
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@settings(deadline=None, max_examples=10)
@given(st.text(max_size=300))
def test_any_text_can_be_indexed_and_counts_once(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    chunks = [chunk("any", f"{text} dome".encode("utf-8", "replace").decode())]
    index = LexicalIndex(tmp_path_factory.getbasetemp() / "any")
    index.add(chunks)
    index.add(chunks)
    assert index.count() == 1
    assert found(index, "dome") == ["any"]


def test_scores_of_chunks_beyond_the_best_are_those_of_the_whole_search(index: LexicalIndex) -> None:
    every = {hit.id: hit.score for hit in index.search("the dome error café", 10)}
    last = [*every][-1]
    assert index.search("the dome error café", 1)[0].id != last
    assert index.score("the dome error café", [last, "nowhere"]) == pytest.approx(
        {last: every[last], "nowhere": 0}
    )


def test_a_deleted_or_replaced_chunk_is_found_no_more(tmp_path: Path) -> None:
    index = LexicalStore(tmp_path).open("family", 1)
    index.add([chunk("a", "dome"), chunk("b", "dome")])
    index.add([chunk("a", "tower")])
    index.delete(["b", "nowhere"])
    assert (found(index, "dome"), found(index, "tower"), index.count()) == ([], ["a"], 1)


def test_an_opening_shows_what_any_other_has_added_before_it(tmp_path: Path) -> None:
    """Later additions are for `Index.current` to notice: looking at the files costs more than a search."""
    first = LexicalStore(tmp_path).open("family", 1)
    assert found(first, "dome") == []
    LexicalStore(tmp_path).open("family", 1).add([chunk("a", "dome")])
    assert found(LexicalStore(tmp_path).open("family", 1), "dome") == ["a"]
    first.add([chunk("b", "dome")])
    assert sorted(found(first, "dome")) == ["a", "b"]


def test_sixteen_threads_search_while_one_adds(tmp_path: Path) -> None:
    index = LexicalStore(tmp_path).open("family", 1)
    index.add([chunk("first", "The dome opens at dusk.")])

    def search(_: int) -> bool:
        return all("first" in found(index, "dusk") and index.score("dusk", ["first"]) for _ in range(50))

    with ThreadPoolExecutor(17) as pool:
        searches = pool.map(search, range(16))
        for number in range(8):
            index.add([chunk(f"{number}", "The tower stands.")])
        assert all(searches)
    assert index.count() == 9


def test_a_damaged_index_is_told_of_with_the_command_that_helps(tmp_path: Path) -> None:
    LexicalStore(tmp_path).open("family", 1).add([chunk("a", "dome")])
    (tmp_path / "family-1" / "meta.json").write_text("{")
    with pytest.raises(StoreError, match="`rag rebuild`"):
        LexicalStore(tmp_path).open("family", 1)


def test_all_other_generations_are_dropped(tmp_path: Path) -> None:
    store = LexicalStore(tmp_path)
    for family, generation in (("family", 1), ("family", 2), ("family", 12), ("other", 1)):
        store.open(family, generation)
    store.drop_all_but("family", 2)
    assert [folder.name for folder in tmp_path.iterdir()] == ["family-2"]
