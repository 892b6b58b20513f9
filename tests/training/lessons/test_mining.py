"""Which passages a question learns from, as right and as wrong."""

from __future__ import annotations

import pytest

from rag import Rag
from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.naming import Naming
from rag.protocols import silent
from rag.training.lessons.lesson import Text
from rag.training.lessons.mining import Miner
from rag.training.recipe import Recipe
from rag.types import Passage


@pytest.fixture
def miner(handbook: Rag) -> Miner:
    return Miner(handbook.pipeline, handbook.assembly.index.catalog, Naming(""), Recipe(margin=0.0))


TEXT = "When is the dome closed because of the wind?"


def passages_of(handbook: Rag) -> list[Passage]:
    encoded = handbook.pipeline.encode(TEXT)
    return list(handbook.pipeline.rerank(encoded, handbook.pipeline.retrieve(encoded))[0])


def labelled(grades: dict[str, int]) -> LabelledQuestion:
    return LabelledQuestion.model_validate({"_id": "q", "text": TEXT, "relevant": grades})


def test_what_ranks_high_and_is_not_labelled_is_learned_as_wrong(handbook: Rag, miner: Miner) -> None:
    ranked = passages_of(handbook)
    best = ranked[0].chunk
    (lesson,) = miner.lessons([labelled({best.source: 1})], silent)
    assert lesson.right == (Text(best.source, best.reading),)
    expected = [p.chunk.reading for p in ranked[:30] if p.chunk.source != best.source]
    assert [text.reading for text in lesson.wrong] == expected


def test_what_ranks_above_the_labelled_answer_may_answer_too_and_is_left_out(
    handbook: Rag, miner: Miner
) -> None:
    ranked = passages_of(handbook)
    place = next(
        i for i, p in enumerate(ranked) if p.chunk.source not in {q.chunk.source for q in ranked[:3]}
    )
    above = {passage.chunk.reading for passage in ranked[:place]}
    answers = {ranked[place].chunk.source: 1}
    (lesson,) = miner.lessons([labelled(answers)], silent)
    assert not above & {text.reading for text in lesson.wrong}
    assert lesson.wrong
    # Somebody has said that it does not answer: then it counts, however high it ranks.
    (judged,) = miner.lessons([labelled({**answers, ranked[0].chunk.source: 0})], silent)
    assert judged.wrong[0].reading == ranked[0].chunk.reading


def test_of_many_documents_that_answer_those_are_learned_that_rank_best(handbook: Rag) -> None:
    ranked = list(dict.fromkeys(passage.chunk.source for passage in passages_of(handbook)))
    unranked = next(s for s, _ in handbook.assembly.index.catalog.sources() if s not in ranked)
    grades = dict.fromkeys(sorted([unranked, ranked[0], ranked[4], ranked[9]], reverse=True), 1)
    index = handbook.assembly.index.catalog
    few = Miner(handbook.pipeline, index, Naming(""), Recipe(most_right=2))
    (lesson,) = few.lessons([labelled(grades)], silent)
    assert [text.document for text in lesson.right] == [ranked[0], ranked[4]]
    assert lesson.answering == set(grades)
    (lesson,) = few.lessons([labelled({**grades, unranked: 2})], silent)
    assert [text.document for text in lesson.right] == [unranked, ranked[0]]


def test_a_marked_passage_is_the_one_that_is_learned(handbook: Rag, miner: Miner) -> None:
    source = next(
        s
        for s, _ in handbook.assembly.index.catalog.sources()
        if len(handbook.assembly.index.catalog.chunks_of(s)) > 2
    )
    last = handbook.assembly.index.catalog.chunks_of(source)[-1]
    question = LabelledQuestion.model_validate(
        {
            "_id": "q",
            "text": TEXT,
            "relevant": {source: 1},
            "metadata": {"start": last.start + 5, "end": last.end},
        }
    )
    (lesson,) = miner.lessons([question], silent)
    assert lesson.right == (Text(source, last.reading),)


def test_a_question_whose_answer_is_not_in_the_index_teaches_nothing(miner: Miner) -> None:
    question = LabelledQuestion.model_validate({"_id": "q", "text": TEXT, "relevant": {"nowhere.md": 1}})
    assert list(miner.lessons([question], silent)) == []
