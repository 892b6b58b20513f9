from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.builders import SmallIndex, names
from support.fakes import WordEmbedder

from rag import Rag
from rag.errors import InputError
from rag.filters import Where
from rag.retrievers.own_index import Mode
from rag.types import Candidate, Question

FRONT = "---\nteam: {team}\nyear: {year}\n---\n\n{text}\n"
# One passage each. `dense.md` shares no word of the question's spelling with it but most of its tokens.
TEXTS = {
    "dome.md": FRONT.format(team="night", year=2025, text="Close the dome when the wind is above 16 metres."),
    "wind.md": FRONT.format(
        team="day", year=2025, text="The wind vane on the north mast is checked each May."
    ),
    "soup.md": FRONT.format(team="kitchen", year=2024, text="Soup is served at seven, and at midnight too."),
    "rain.md": FRONT.format(team="night", year=2024, text="Rain closes everything, and so does snow."),
}
MODES: list[Mode] = ["dense", "lexical", "hybrid"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    return SmallIndex(tmp_path_factory.mktemp("small"), TEXTS)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    """One passage of one team that hardly matches, behind twelve hundred that match well."""
    many = {
        f"{i}.md": FRONT.format(team="crowd", year=i, text=f"dome wind dome wind number {i}")
        for i in range(1200)
    }
    rare = {
        "rare.md": FRONT.format(team="rare", year=1, text="a dome of many other things that dilute the word")
    }
    return SmallIndex(tmp_path_factory.mktemp("crowd"), many | rare)


def retrieve(
    small: SmallIndex, text: str, mode: Mode = "hybrid", top_n: int = 50, **where: str | int
) -> list[Candidate]:
    question = Question(text, small.embedder.embed_question(text))
    return list(small.retriever(mode, top_n).retrieve(question, Where.of(where)))


def test_passages_that_read_the_same_are_one_candidate_that_names_all_its_sources(tmp_path: Path) -> None:
    texts = {f"{n}.md": "Close the dome when the wind is above 16 metres." for n in range(3)}
    copied = SmallIndex(tmp_path, texts | {"other.md": "The wind vane is checked each May."})
    first, second = retrieve(copied, "when does the dome close for wind")
    assert {Path(source).name for source in (first.chunk.source, *first.also)} == {"0.md", "1.md", "2.md"}
    assert (Path(second.chunk.source).name, second.also) == ("other.md", ())


# --- three ways ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_each_way_finds_the_passage_that_says_it(small: SmallIndex, mode: Mode) -> None:
    assert names(retrieve(small, "when does the dome close for wind", mode))[0] == "dome.md"


def test_dense_ranks_every_passage_and_lexical_only_those_that_share_a_word(small: SmallIndex) -> None:
    assert len(retrieve(small, "wind", "dense")) == 4
    assert sorted(names(retrieve(small, "wind", "lexical"))) == ["dome.md", "wind.md"]


def test_hybrid_finds_what_either_side_finds(small: SmallIndex) -> None:
    dense, lexical, hybrid = (set(names(retrieve(small, "wind vane", mode, 2))) for mode in MODES)
    assert hybrid <= dense | lexical
    assert set(names(retrieve(small, "wind vane"))) >= dense | lexical


def test_a_candidate_knows_its_rank_on_either_side_and_has_none_where_it_was_not_found(
    small: SmallIndex,
) -> None:
    by_name = {names([c])[0]: c for c in retrieve(small, "wind vane")}
    assert (by_name["wind.md"].dense_rank, by_name["wind.md"].lexical_rank) == (1, 1)
    assert by_name["soup.md"].lexical_rank is None
    assert by_name["soup.md"].dense_rank is not None


def test_ranks_count_from_1_in_the_fused_order(small: SmallIndex) -> None:
    found = retrieve(small, "wind")
    assert [c.rank for c in found] == list(range(1, len(found) + 1))
    assert [c.fused for c in found] == sorted((c.fused for c in found), reverse=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("top_n", [1, 3, 50])
def test_top_n_is_obeyed_exactly(crowd: SmallIndex, mode: Mode, top_n: int) -> None:
    assert len(retrieve(crowd, "dome wind", mode, top_n)) == top_n


def test_a_question_of_unknown_words_still_has_dense_candidates(small: SmallIndex) -> None:
    assert retrieve(small, "xyzzy plugh", "lexical") == []
    assert len(retrieve(small, "xyzzy plugh", "hybrid")) == 4


# --- what is known of a candidate ----------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_every_candidate_has_all_evidence_whichever_side_found_it(small: SmallIndex, mode: Mode) -> None:
    text = "wind vane"
    asked = small.embedder.embed_question(text).vector
    for found in retrieve(small, text, mode):
        vector = small.index.catalog.vectors([found.chunk.id])[found.chunk.id]
        assert found.evidence.cosine == pytest.approx(float(vector @ asked), abs=1e-5)
        assert found.evidence.bm25 is not None
        assert (found.evidence.bm25 > 0) == ("wind" in found.chunk.text)
        assert found.evidence.cosine_reference is not None
        assert found.evidence.bm25_best is not None


def test_evidence_is_plain_numbers(small: SmallIndex) -> None:
    evidence = retrieve(small, "wind")[0].evidence
    values = (evidence.cosine, evidence.bm25, evidence.cosine_reference, evidence.bm25_best)
    assert {type(value) for value in values} == {float}


def test_the_references_belong_to_the_question_and_not_to_the_candidates(crowd: SmallIndex) -> None:
    wide, narrow = (retrieve(crowd, "dome wind", top_n=n) for n in (50, 2))
    filtered = retrieve(crowd, "dome wind", team="rare")
    references = {(c.evidence.cosine_reference, c.evidence.bm25_best) for c in [*wide, *narrow, *filtered]}
    assert len(references) == 1


def test_a_passages_evidence_is_the_same_with_and_without_a_filter(small: SmallIndex) -> None:
    free = {c.chunk.id: c.evidence for c in retrieve(small, "dome wind")}
    for found in retrieve(small, "dome wind", team="night"):
        known = free[found.chunk.id]
        assert found.evidence.cosine == pytest.approx(known.cosine, abs=1e-6)
        assert found.evidence.bm25 == known.bm25


def test_a_passages_relevance_is_the_same_with_and_without_a_filter(handbook: Rag) -> None:
    question = "How long must the red button be pressed?"
    free = {row.id: row.relevance for row in handbook.search(question).trace.candidates}
    kept = handbook.search(question, {"source": [c.chunk.source for c in handbook.retrieve(question)[:3]]})
    common = [row for row in kept.trace.candidates if row.id in free]
    assert len(common) >= 3
    assert [row.relevance for row in common] == pytest.approx([free[row.id] for row in common], abs=1e-6)


# --- filters -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_applies_before_ranking(crowd: SmallIndex, mode: Mode) -> None:
    """The one passage that passes is found though a thousand others are nearer."""
    assert names(retrieve(crowd, "dome", mode, top_n=5, team="rare")) == ["rare.md"]


@pytest.mark.parametrize("mode", MODES)
def test_all_candidates_pass_the_filter(small: SmallIndex, mode: Mode) -> None:
    found = retrieve(small, "dome wind rain closes", mode, team="night")
    assert set(names(found)) <= {"dome.md", "rain.md"}
    assert found


def test_two_keys_must_both_match(small: SmallIndex) -> None:
    assert names(retrieve(small, "wind", team="night", year=2024)) == ["rain.md"]


def test_one_of_several_values_is_enough(small: SmallIndex) -> None:
    question = Question("wind", small.embedder.embed_question("wind"))
    found = small.retriever().retrieve(question, Where.of({"team": ["day", "kitchen"]}))
    assert set(names(found)) == {"wind.md", "soup.md"}


def test_a_value_that_nothing_has_finds_nothing(small: SmallIndex) -> None:
    assert retrieve(small, "wind", team="morning") == []


def test_a_misspelt_key_is_an_error_that_names_the_nearest(small: SmallIndex) -> None:
    with pytest.raises(InputError, match=r"'teem': did you mean 'team'"):
        retrieve(small, "wind", teem="night")


def test_an_unknown_key_is_an_error_that_lists_those_there_are(small: SmallIndex) -> None:
    with pytest.raises(InputError, match=r"there are: .*page, source, team"):
        retrieve(small, "wind", department="night")


def test_a_key_can_be_misspelt_beside_a_right_one(small: SmallIndex) -> None:
    with pytest.raises(InputError, match="'yaer'"):
        retrieve(small, "wind", team="night", yaer=2024)


@pytest.mark.parametrize("value", ["../../etc/passwd", "'; DROP TABLE chunks; --", "night\x00", "$ne", "*"])
def test_a_hostile_value_matches_nothing_and_breaks_nothing(small: SmallIndex, value: str) -> None:
    assert retrieve(small, "wind", team=value) == []
    assert len(retrieve(small, "wind")) == 4


@pytest.mark.parametrize("key", ["$or", "", "a b", "te'am", "#document"])
def test_a_hostile_key_is_refused(key: str) -> None:
    with pytest.raises(InputError):
        Where.of({key: "night"})


# --- odd indexes ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_index_has_no_candidates(tmp_path: Path, mode: Mode) -> None:
    (tmp_path / "documents").mkdir()
    assert retrieve(SmallIndex(tmp_path, {}), "wind", mode) == []


def test_a_question_without_vectors_is_refused(small: SmallIndex) -> None:
    with pytest.raises(InputError, match="vectors"):
        small.retriever().retrieve(Question("wind"))


def test_an_embedder_without_tokens_serves_the_first_stage_all_the_same(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"a.txt": "wind and dome"}, WordEmbedder(tokens=False))
    found = retrieve(index, "dome wind")
    assert names(found) == ["a.txt"]
    assert np.isclose(found[0].evidence.cosine or 0.0, 2 / np.sqrt(6), atol=0.4)
