"""BM25 over any text, for any question."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import StoreError
from rag.filters import Where
from rag.index.lexical import LexicalIndex, LexicalStore
from rag.types import Chunk, Floats

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


# --- after deletions ------------------------------------------------------------------------------


class Standing:
    """What a catalog would say stands there."""

    def __init__(self) -> None:
        self.by_id: dict[str, Chunk] = {}

    def counts(self) -> tuple[int, int]:
        return len(self.by_id), len(self.by_id)

    def all_chunks(self, size: int) -> Iterator[list[Chunk]]:
        chunks = [*self.by_id.values()]
        yield from (chunks[at : at + size] for at in range(0, len(chunks), size))

    def vectors(self, ids: Sequence[str]) -> dict[str, Floats]:
        raise NotImplementedError("words need none")


def of_words(draw: random.Random, name: str) -> Chunk:
    """Some words are in most passages, some in hardly any; a passage has 5 to 60."""
    words = (f"w{min(int(draw.paretovariate(0.7)), 400)}" for _ in range(draw.randint(5, 60)))
    return chunk(name, " ".join(words))


def live(draw: random.Random, index: LexicalIndex, standing: Standing, made: int) -> LexicalIndex:
    """One writing: some come, some go, some are replaced; now and then it is killed before it settles."""
    fresh = [of_words(draw, f"{made + i}") for i in range(draw.randint(1, 60))]
    known = draw.sample(sorted(standing.by_id), min(len(standing.by_id), draw.randint(0, 40)))
    replaced, gone = known[::2], known[1::2]
    changed = [*fresh, *(of_words(draw, name) for name in replaced)]
    index.add(changed)
    standing.by_id |= {c.id: c for c in changed}
    index.delete(gone)
    for name in gone:
        del standing.by_id[name]
    if draw.random() < 0.3:
        return LexicalIndex(index.folder, standing)
    index.settle()
    return index


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 9))])
def test_scores_are_those_of_a_fresh_index_within_a_tenth_whatever_came_and_went(
    tmp_path: Path, seed: int
) -> None:
    draw, standing = random.Random(seed), Standing()
    index = LexicalIndex(tmp_path / "old", standing)
    for writing in range(20):
        index = live(draw, index, standing, writing * 100)
    index.settle()
    fresh = LexicalIndex(tmp_path / "fresh")
    fresh.add([*standing.by_id.values()])
    assert index.count() == fresh.count() == len(standing.by_id)
    for _ in range(30):
        question = of_words(draw, "question").text
        scores, expected = ({hit.id: hit.score for hit in i.search(question, 10_000)} for i in (index, fresh))
        assert scores == pytest.approx(expected, rel=0.1)
        # How rare words are is the same exactly.
        assert index.limit(question) == pytest.approx(fresh.limit(question), rel=1e-6)


def test_a_rare_word_is_as_rare_as_if_nothing_had_been_deleted(tmp_path: Path) -> None:
    """Nine of ten passages that had it are gone; too few of all to be swept out."""
    standing = Standing()
    index = LexicalIndex(tmp_path / "old", standing)
    many = [chunk(f"{i}", f"dome {'sextant' if i < 10 else 'tower'} number {i}") for i in range(400)]
    standing.by_id = {c.id: c for c in many}
    index.add(many)
    gone = [f"{i}" for i in range(1, 10)]
    index.delete(gone)
    standing.by_id = {c.id: c for c in many if c.id not in gone}
    assert not index.settle()
    fresh = LexicalIndex(tmp_path / "fresh")
    fresh.add([*standing.by_id.values()])
    assert index.score("sextant", ["0"])["0"] == pytest.approx(fresh.score("sextant", ["0"])["0"], rel=0.01)
    assert index.limit("sextant dome") == pytest.approx(fresh.limit("sextant dome"), rel=1e-6)


def test_what_is_lost_is_filled_in_at_the_end_of_a_writing(tmp_path: Path) -> None:
    standing = Standing()
    standing.by_id = {name: chunk(name, text) for name, text in TEXTS.items()}
    index = LexicalIndex(tmp_path, standing)
    index.add([standing.by_id["dome"]])
    assert index.settle()
    assert not index.settle()
    assert LexicalIndex(tmp_path).count() == len(TEXTS)
    assert found(index, "E-4711")[0] == "error"


def test_equally_good_ones_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    index = LexicalStore(tmp_path).open("family", 1)
    index.add([chunk(name, "dome") for name in ("c", "a", "d", "b")])
    index.delete(["a"])
    index.add([chunk("a", "dome")])
    assert found(index, "dome") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("size", [600, 2000, 10_000])
def test_a_filter_may_have_thousands_of_values(tmp_path: Path, size: int) -> None:
    index = LexicalStore(tmp_path).open("family", 1)
    index.add([chunk(f"{i}", f"dome {i}") for i in range(20)])
    where = Where.of({"source": [f"{i}.md" for i in (3, *range(20, 19 + size))]})
    assert [hit.id for hit in index.search("dome", 50, where)] == ["3"]
