"""What a reader is shown: the answer stays where there is one, and is gone where there is none."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
import torch

from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.tokenizer import load_tokenizer
from rag.models.torch_reading import ReadingNetwork
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.reading import ReadingCourse, ReadingRecipe, calibrate, losses_of, row_of, tensors
from rag.training.lessons.reading import Group, Item, drawn, place_of, window_around

QUESTION = "In which year was the Lindow bridge opened?"
PASSAGE = (
    "The Lindow bridge crosses the Tarn below the mill. It was opened in 1958 by the mayor of Kelmark. "
    "Two older bridges further down the river were taken away soon after that. The toll was lifted in 1991."
)
OTHER = "The Tarn is a river of a hundred kilometres, which freezes in some winters and floods in others."
RIGHT = Item(QUESTION, PASSAGE, True, "1958")
GROUP = Group(
    "set",
    QUESTION,
    (RIGHT, Item(QUESTION, OTHER, False, kind="near"), Item(QUESTION, OTHER, False, kind="removed")),
)


@pytest.mark.parametrize("short", [True, False])
def test_whatever_is_cut_away_the_answer_stays(short: bool) -> None:
    for seed in range(60):
        items = drawn(GROUP, random.Random(seed), short)
        assert items[0].answers
        assert "1958" in items[0].passage
        assert not any(item.answers or "1958" in item.passage for item in items[1:])


def test_each_pass_shows_other_words() -> None:
    shown = {drawn(GROUP, random.Random(seed), True)[0].passage for seed in range(30)}
    assert len(shown) > 3


def test_natural_passages_are_more_often_shown_than_adverse_ones() -> None:
    kinds = [item.kind for seed in range(300) for item in drawn(GROUP, random.Random(seed), False)]
    assert kinds.count("near") > 1.3 * kinds.count("removed") > 60


def test_of_several_places_the_answer_is_where_the_question_is_spoken_of() -> None:
    text = "In 1958 he was born. The bridge was opened in 1958 in Lindow. So much for 1958."
    assert place_of(text, "1958", QUESTION) == text.index("1958 in Lindow")
    assert place_of(text, "1959", QUESTION) == -1


def test_a_window_without_an_answer_is_part_of_the_text() -> None:
    sentences = PASSAGE.split(". ")
    for seed in range(20):
        window = window_around(PASSAGE, "", QUESTION, random.Random(seed), 20)
        assert any(sentence in window for sentence in sentences)
        assert len(window) < len(PASSAGE)


# --- learning -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def body() -> Path:
    return find_model(BUNDLED_NAME, None)


def test_the_tokens_of_the_answer_and_no_others_are_to_be_marked(body: Path) -> None:
    tokenizer = load_tokenizer(body)
    right, wrong = row_of(tokenizer, RIGHT, 224), row_of(tokenizer, GROUP.items[1], 224)
    unknown = row_of(tokenizer, Item(QUESTION, PASSAGE, True), 224)
    ids, _, types, goal = tensors([right, wrong, unknown])
    assert tokenizer.decode(ids[0][goal[0] == 1].tolist()) == "1958"
    assert (goal[0] == 0).sum() == (types[0] == 1).sum() - 2  # neither the answer nor the last marker
    assert (goal[1] == 0).sum() == (types[1] == 1).sum() - 1
    assert (goal[2] == -1).all()


def test_an_answer_beyond_the_window_is_not_marked(body: Path) -> None:
    row = row_of(load_tokenizer(body), Item(QUESTION, "word " * 300 + "1958", True, "1958"), 128)
    assert row.span is None
    assert not row.known


def course(network: ReadingNetwork, body: Path, folder: Path, minutes: float) -> ReadingCourse:
    """By a clock that goes on a second whenever it is looked at."""
    recipe = ReadingRecipe(frozen=5, rate=5e-4, warmup=0.0, mean=0.5, tokens=600, save_seconds=1)
    kept = Checkpoint(folder / "checkpoint.pt", "one")
    return ReadingCourse(network, body, recipe, minutes, kept, itertools.count().__next__)


def test_a_course_learns_where_the_answer_is_and_whether_there_is_one(body: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ReadingNetwork(body)
    rows = [[row_of(load_tokenizer(body), item, 224) for item in GROUP.items[:2]]]
    before = [loss.item() for loss in losses_of(network, rows)]
    came = course(network, body, tmp_path, 0.8).run([GROUP] * 40, lambda line: None)
    after = [loss.item() for loss in losses_of(network, rows)]
    assert came["steps"] > 4
    assert after[0] < before[0]
    assert after[3] < before[3]


def test_a_course_that_is_over_is_not_run_again(body: Path, tmp_path: Path) -> None:
    first, again = ReadingNetwork(body), ReadingNetwork(body)
    came = course(first, body, tmp_path, 0.3).run([GROUP] * 40, lambda line: None)
    assert course(again, body, tmp_path, 0.3).run([GROUP] * 40, lambda line: None) == came
    assert torch.equal(again.marks.weight, first.marks.weight)


def test_a_logit_is_brought_to_how_often_such_a_passage_answers(body: Path) -> None:
    network = ReadingNetwork(body)
    with torch.no_grad():
        network.answers.bias.fill_(20.0)  # answers everything, and is sure of it
    factor, bias = calibrate(network, body, [GROUP] * 8, 224)
    rows = [row_of(load_tokenizer(body), item, 224) for item in GROUP.items[:2]]
    with torch.no_grad():
        likely = network(*tensors(rows)[:3])[0].sigmoid()
    assert factor > 0 > bias
    assert likely.mean().item() == pytest.approx(0.5, abs=0.1)  # one of the two natural ones answers
