"""The pairs that a reader learns from: what answers does, and what does not, does not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from reader.manuals import manual_groups, read_manuals
from reader.pairs import COLLECTIONS, beginning, names, swapped, windows_of
from reader.train import held_out, is_held_out

from rag.training.lessons.reading import Group

PAGE = """<html><head><title>Weather daemon</title></head><body><h1>Weather daemon</h1>
<h2>Options of the daemon</h2><dl>
<dt>wind_limit</dt><dd>Sets the speed of the wind above which the dome is closed. The default is 16.</dd>
<dt>rain_delay</dt><dd>Sets the time that must pass after rain before the dome is opened again.</dd>
<dt>log_level</dt><dd>Specifies how much is written to the log of the daemon. The default is info.</dd>
<dt>vane_port</dt><dd>Names the serial port to which the wind vane of the mast is connected.</dd>
</dl></body></html>"""


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[Group]:
    folder = tmp_path_factory.mktemp("manuals")
    (folder / "weatherd").mkdir()
    (folder / "weatherd" / "options.html").write_text(PAGE)
    (page,) = read_manuals(folder)
    assert {entry.term for entry in page} >= {"wind_limit", "rain_delay", "log_level", "vane_port"}
    return [group for seed in range(40) for group in manual_groups(page, random.Random(seed))]


def asked(groups: list[Group], words: str, term: str) -> list[Group]:
    return [group for group in groups if words in group.question and term in group.question]


def test_what_a_setting_does_stands_in_its_own_definition(groups: list[Group]) -> None:
    found = asked(groups, "What does", "wind_limit")
    assert found
    for item in (item for group in found for item in group.items):
        assert ("above which the dome is closed" in item.passage) or not item.answers
        assert item.answer in item.passage


def test_a_neighbour_does_not_answer(groups: list[Group]) -> None:
    near = [item for group in groups for item in group.items if item.kind == "near"]
    assert near
    for item in near:
        assert not item.answers
        term = next((term for term in ("wind_limit", "rain_delay") if term in item.question), None)
        assert term is None or f"{term}:" not in item.passage.replace("`", "")


def test_a_definition_without_a_default_is_silent_about_it(
    groups: list[Group],
) -> None:
    with_default = asked(groups, "default", "wind_limit")
    assert {item.answer for group in with_default for item in group.items if item.answers} == {
        "The default is 16."
    }
    without = asked(groups, "default", "rain_delay")
    assert without
    assert {item.kind for group in without for item in group.items} == {"silent"}


def test_manuals_and_documents_are_held_out_whole() -> None:
    kept = [is_held_out(Group("squad", f"question {i}", (), "one article")) for i in range(20)]
    assert len(set(kept)) == 1
    assert is_held_out(Group("tmux", "any", (), "TMUX(1)"))


def test_questions_held_out_are_read_from_the_work(tmp_path: Path) -> None:
    (tmp_path / "some.groups.jsonl").write_text(
        '{"origin": "tmux", "question": "q", "document": "d", '
        '"items": [{"question": "q", "passage": "p", "answers": true, "answer": "", "kind": ""}]}\n'
    )
    (group,) = held_out(tmp_path)
    assert group.items[0].answers


def test_a_collection_for_research_only_is_not_learned_from() -> None:
    learned = {one.name for one in COLLECTIONS}
    assert not learned & {"wikiqa", "trecqa", "mediqa2019_qa", "nfcorpus"}
    assert all(one.licence for one in COLLECTIONS)


def test_another_number_or_name_is_one_that_the_passage_has_not() -> None:
    passage = "The treaty of 1648 was signed in Kelmark by Arden."
    for seed in range(30):
        rng = random.Random(seed)
        number = swapped("Who signed the treaty of 1648?", passage, [], rng)
        assert number
        assert "1648" not in number
        name = swapped("Who came to Kelmark?", passage, [["Lindow"]], rng)
        assert name == "Who came to Lindow?"
    assert names("When was the Lindow Bridge opened in Kelmark?") == ["Lindow Bridge", "Kelmark"]


def test_windows_are_whole_sentences() -> None:
    text = " ".join(f"Sentence number {i} has seven words here." for i in range(60))
    assert all(window.endswith(".") and len(window.split()) <= 160 for window in windows_of(text))
    assert beginning(text, 80).endswith(".")
