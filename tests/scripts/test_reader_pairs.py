"""The passages that a reader learns from: what is taken out, and what must stay."""

from __future__ import annotations

import json
import random
from pathlib import Path

import reader_pairs
from reader_pairs import Group, Item, minimal, windows_of

QUESTION = "In which year was the Lindow bridge opened?"
PASSAGE = (
    "The Lindow bridge crosses the Tarn below the mill. It was opened in 1958 by the mayor of Kelmark. "
    "Two older bridges further down the river were taken away soon after that."
)


def groups(count: int = 40) -> list[Group]:
    own = Item(QUESTION, PASSAGE, True, "1958")
    other = Item(
        QUESTION, "The Tarn is a river of a hundred kilometres, which freezes in some winters.", False
    )
    strangers = [Group("set", f"Who owns the Marlow House number {i}?", ()) for i in range(5)]
    return [*(Group("set", QUESTION, (own, other)) for _ in range(count)), *strangers]


def made() -> list[Item]:
    return [item for group in minimal(groups(), {"set": 45}, seed=0) for item in group.items]


def test_what_answers_still_has_the_answer_and_what_does_not_has_lost_it_or_its_subject() -> None:
    items = made()
    assert sum(item.answers for item in items) > 30
    assert sum(not item.answers for item in items) > 60
    for item in items:
        asked = item.question.removeprefix("In which year was the ").removesuffix(" opened?")
        answers = "1958" in item.passage and (asked in item.passage or "bridge" not in asked)
        assert item.answers is answers, item


def test_no_seam_tells_them_apart() -> None:
    """Passages that answer lose words and change names as those do that do not."""
    right = [item for item in made() if item.answers]
    assert any(item.passage == PASSAGE for item in right)
    assert any(item.passage != PASSAGE and item.question == QUESTION for item in right)
    assert any(item.question != QUESTION for item in right)


def test_the_same_seed_makes_the_same_pairs() -> None:
    assert made() == made()


def test_windows_are_whole_sentences_and_lose_nothing() -> None:
    text = " ".join(f"Sentence number {i} has seven words here." for i in range(60))
    windows = windows_of(text, words=50)
    assert " ".join(windows) == text
    assert all(window.startswith("Sentence") and window.endswith("here.") for window in windows)
    assert all(len(window.split()) <= 50 for window in windows)


def test_a_collection_gives_groups_in_which_only_what_answers_is_said_to(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "squad_dev_v1.1"
    (folder / "qrels").mkdir(parents=True)
    docs = [
        {"_id": "b0", "title": "Bridges", "text": PASSAGE},
        {
            "_id": "b1",
            "title": "Bridges",
            "text": "The Marlow bridge is of iron and was painted in red and white.",
        },
        {
            "_id": "s0",
            "title": "Soup",
            "text": "Soup is served at seven in the hall below the kitchen, with bread.",
        },
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    asked = {"_id": "q", "text": QUESTION, "metadata": {"answers": ["1958"]}}
    (folder / "queries.jsonl").write_text(json.dumps(asked) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tb0\t1\n")
    source = reader_pairs.Source.read(folder, ["test"])
    recipe = reader_pairs.RECIPES["train/squad_dev_v1.1"]
    (group,) = reader_pairs._groups(source, ["q"], recipe, lambda _, there: [[0, 1, 2]], random.Random(0))
    assert [item.answers for item in group.items][:1] == [True]
    assert all(("1958" in item.passage) is item.answers for item in group.items if item.question == QUESTION)
    assert any("Marlow" in item.passage for item in group.items)
