"""What is quoted of a passage: pieces that a reader understands by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.builders import passage
from support.fakes import NothingStored, WordEmbedder

from rag.answers.asked import asked_for, holds
from rag.answers.disagreement import DISAGREE
from rag.answers.units import Unit, units
from rag.generators.extractive import ExtractiveSettings
from rag.parts import Parts
from rag.types import Passage, Question

MANUAL = """\
## Settings

The size is measured in pages. It is read at the start.

- **`shared_buffers`**

  Sets the amount of memory. The default is 128 MB.

- **`port`**

  The port on which it listens.

To start it, run:

```sh
start --all
start --now
```

It needs one of these:

- a key
- a card

| name | least | most |
|---|---|---|
| wind | 3 m/s | 16 m/s |

## May I smoke?

Yes. But only outside.
"""


def of(text: str, source: str = "a.md") -> list[Unit]:
    return units([passage(0.9, text, source)])


def with_core(core: str, text: str = MANUAL) -> Unit:
    (found,) = [unit for unit in of(text) if unit.core == core]
    return found


def test_a_pronoun_brings_the_sentence_before_it() -> None:
    found = with_core("It is read at the start.")
    assert found.lines == ("The size is measured in pages. It is read at the start.",)


def test_a_definition_brings_its_term() -> None:
    assert with_core("The default is 128 MB.").lines == ("shared_buffers", "The default is 128 MB.")
    assert with_core("The port on which it listens.").lines[0] == "port"


def test_a_row_brings_its_header() -> None:
    assert with_core("wind | 3 m/s | 16 m/s").lines == ("name | least | most", "wind | 3 m/s | 16 m/s")


def test_what_is_announced_comes_with_its_announcement() -> None:
    code = [unit.lines for unit in of(MANUAL) if unit.lines[0] == "To start it, run:"]
    assert ("To start it, run:", "    start --all", "    start --now") in code
    assert with_core("a card").lines == ("It needs one of these:", "a card")
    assert ("It needs one of these:", "- a key", "- a card") in [unit.lines for unit in of(MANUAL)]


def test_an_announcement_alone_a_heading_and_a_question_answer_nothing() -> None:
    found = of("## Is it open?\n\nWhen is it open? It opens at nine. Then it does:")
    assert [unit.core for unit in found if unit.answers] == ["It opens at nine."]


def test_the_text_under_a_heading_knows_its_heading() -> None:
    assert "May I smoke?" in with_core("Yes.").context
    assert "port" in with_core("The port on which it listens.").context


def test_three_numbered_items_or_more_are_a_procedure_of_their_own() -> None:
    (found,) = [unit for unit in of("1. Open.\n2. Look.\n   Well.\n3. Close.\n\nDone.") if unit.steps]
    assert found.lines == ("1. Open.", "2. Look. Well.", "3. Close.")
    assert not [unit for unit in of("1. Open.\n2. Look.\n\n4. Close.") if unit.steps]


def test_a_cut_tables_header_comes_from_what_stands_above_it() -> None:
    cut = passage(0.9, "| wind | 16 m/s |", "a.md", start=100)
    chunk = replace(cut.chunk, lead="| name | most |\n|---|---|\n")
    found = units([replace(cut, candidate=replace(cut.candidate, chunk=chunk))])
    assert [unit.lines for unit in found] == [("name | most", "wind | 16 m/s")]
    assert found[0].start >= 100


def test_the_span_of_a_unit_is_that_of_its_core_in_the_document() -> None:
    for unit in of("It is **so**. The `a_b` of *it* is two.\n\n- one\n- two"):
        assert unit.start < unit.end <= 52


# --- what is asked for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "kind", "text", "other"),
    [
        ("How many columns may a table have?", "number", "At most 2000.", "It has columns."),
        ("When was it built?", "date", "It was built in 1904.", "It was built well."),
        ("Who wrote it?", "name", "It was by Ada Lovelace.", "It was a woman."),
        ("Why does it fail?", "reason", "Because the disk is full.", "It fails."),
        ("How do I start it?", "steps", "Run `start --all`.", "It starts."),
        ("Which option shows it?", "code", "With --show it is shown.", "It is shown."),
    ],
)
def test_what_a_question_asks_for_is_told_from_what_it_does_not(
    question: str, kind: str, text: str, other: str
) -> None:
    asked = asked_for(question)
    assert asked == kind
    assert asked is not None
    assert (holds(asked, text, question), holds(asked, other, question)) == (True, False)


# --- documents that disagree -----------------------------------------------------------------

OLD = "These limits apply from 15 April 2021.\n\nThe dome is closed when the wind is above 18 m/s.\n"
NEW = "These limits apply from 10 February 2025.\n\nThe dome is closed when the wind is above 16 m/s.\n"


@pytest.fixture
def parts() -> Parts:
    return Parts(NothingStored(), WordEmbedder)


def answer(passages: list[Passage], parts: Parts) -> str:
    generator = ExtractiveSettings().build(parts)
    return generator.generate(Question("When is the dome closed for wind?"), passages).text


@pytest.mark.parametrize("first", [OLD, NEW])
def test_two_documents_that_disagree_are_said_to_newest_first(first: str, parts: Parts) -> None:
    second = NEW if first == OLD else OLD
    text = answer([passage(0.9, first, "a.md"), passage(0.8, second, "b.md", rank=2)], parts)
    assert text.splitlines()[0] == DISAGREE
    assert text.index("16 m/s") < text.index("18 m/s")


def test_documents_that_say_the_same_or_of_other_things_do_not_disagree(parts: Parts) -> None:
    other = "Soup is served at 7 in the hall of the old house.\n"
    for second in (OLD, other):
        text = answer([passage(0.9, OLD, "a.md"), passage(0.8, second, "b.md", rank=2)], parts)
        assert DISAGREE not in text


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        ("9.3.1", [("9.3.1 Scripts are encouraged.",), ("Units are better.",)]),
        ("12", [("12 Scripts are encouraged.",), ("12", "Units are better.")]),
        ("`-x`", [("-x", "Scripts are encouraged."), ("-x", "Units are better.")]),
    ],
)
def test_a_number_that_is_defined_is_no_line_of_its_own(term: str, shown: list[tuple[str, ...]]) -> None:
    text = f"- **{term}**\n\n  Scripts are encouraged. Units are better.\n"
    assert [unit.lines for unit in of(text)] == shown


STEPS = """\
2. The operator closes the dome when the wind is above 16 m/s.
3. The dome is closed.
4. When the wind is low, the dome may open.
"""
TABLE = """\
| dome | closed for wind |
|---|---|
| small | when the wind is high |
| large | when wind closes the dome |
"""


@pytest.mark.parametrize("text", [STEPS, TABLE])
def test_steps_and_rows_are_shown_in_the_documents_order(text: str, parts: Parts) -> None:
    lines = [line.split(" [")[0] for line in answer([passage(0.9, text, "a.md")], parts).splitlines()]
    shown = [line.replace("| ", "").strip(" |") for line in text.splitlines() if "---" not in line]
    places = [shown.index(line.replace("| ", "").strip(" |")) for line in lines]
    assert len(places) > 1
    assert places == sorted(places)
