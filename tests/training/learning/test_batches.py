"""What a step learns from, and what its loss counts as wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support import tiny

from rag.models.token_bits import maxsim_floats
from rag.training.learning.batches import Batches
from rag.training.learning.losses import contrast, maxsim
from rag.training.lessons.lesson import Lesson, Text


def test_what_is_trained_is_what_the_reranker_computes() -> None:
    rng = np.random.default_rng(0)
    question = rng.standard_normal((4, 8)).astype(np.float32)
    passages = [rng.standard_normal((n, 8)).astype(np.float32) for n in (3, 1, 6)]
    ours = maxsim([torch.from_numpy(question)], [torch.from_numpy(p) for p in passages])[0]
    np.testing.assert_allclose(ours.numpy(), maxsim_floats(question, passages), rtol=1e-5)


def test_what_may_answer_too_does_not_count_as_wrong() -> None:
    scores = torch.tensor([[1.0, 9.0, 0.0]])
    alone = contrast(scores[:, [0, 2]], [0], [()])
    assert contrast(scores, [0], [(1,)]) == pytest.approx(alone)
    assert contrast(scores, [0], [()]) > alone + 5


def test_every_lesson_comes_once_before_any_comes_again_and_batches_depend_on_nothing_but_their_number() -> (
    None
):
    lessons = tiny.lessons(12)
    batches = Batches(lessons, [], replace(tiny.RECIPE, questions=4))
    assert batches.an_epoch == 3
    for epoch in range(3):
        asked = [q for step in range(3 * epoch, 3 * epoch + 3) for q in batches.batch(step).questions]
        assert sorted(asked) == sorted(lesson.question for lesson in lessons)
    assert batches.batch(5) == Batches(lessons, [], replace(tiny.RECIPE, questions=4)).batch(5)
    assert batches.batch(5) != Batches(lessons, [], replace(tiny.RECIPE, questions=4, seed=1)).batch(5)


def test_another_lessons_passage_of_a_document_that_answers_is_hidden() -> None:
    a = Lesson("a", (Text("x", "one"),), (1.0,), (Text("y", "two"),), frozenset({"x", "z"}))
    b = Lesson("b", (Text("z", "three"),), (1.0,), (), frozenset({"z"}))
    batch = Batches([a, b], [], replace(tiny.RECIPE, questions=2)).batch(0)
    row = batch.questions.index("a")
    assert [batch.passages[i].document for i in batch.hidden[row]] == ["z"]


def test_titles_are_mixed_in_beside_the_questions() -> None:
    pairs = [Lesson(f"title {n}", (Text(f"t{n}", "under it"),), (1.0,)) for n in range(5)]
    batch = Batches(tiny.lessons(), pairs, replace(tiny.RECIPE, questions=4, pairs=2)).batch(0)
    assert len(batch.questions) == 6
    assert sum(question.startswith("title") for question in batch.questions) == 2
