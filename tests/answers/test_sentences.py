from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answers.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Close it. Then go.", ["Close it.", "Then go."]),
        ("Really? Yes! Go on…", ["Really?", "Yes!", "Go on…"]),
        ("The limit is 16.5 m/s today. It was 20.", ["The limit is 16.5 m/s today.", "It was 20."]),
        (
            "See e.g. Dome 2, Fig. 3 and Dr. Okafor. Then stop.",
            ["See e.g. Dome 2, Fig. 3 and Dr. Okafor.", "Then stop."],
        ),
        ("Ask J. Smith. He knows.", ["Ask J. Smith.", "He knows."]),
        ("Room no. 7 is cold. No. Never.", ["Room no. 7 is cold.", "No.", "Never."]),
        ("We meet at 5 p.m. Bring a lamp.", ["We meet at 5 p.m.", "Bring a lamp."]),
        ("He said “stop.” Then he left.", ["He said “stop.”", "Then he left."]),
        ("one line\nwrapped in two. Next.", ["one line\nwrapped in two.", "Next."]),
        ("A paragraph\n\nand another", ["A paragraph", "and another"]),
        ("关闭圆顶。然后离开。", ["关闭圆顶。", "然后离开。"]),
        (
            "Speeds from June:\n  Day ........ 50 km/h\n  Night, in snow ..... 30 km/h\nThey hold. Go on.",
            [
                "Speeds from June:",
                "Day ........ 50 km/h",
                "Night, in snow ..... 30 km/h",
                "They hold.",
                "Go on.",
            ],
        ),
        ("Use ${a . . .} here. Then go.", ["Use ${a . . .} here.", "Then go."]),
        ("no end", ["no end"]),
        ("", []),
        (" … \n\n---\n", []),
    ],
)
def test_a_text_is_cut_at_the_ends_of_its_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_each_list_item_stands_alone_and_loses_its_bullet() -> None:
    assert cut("Do this:\n- open the valve\n* wait\n2. close it. Check.") == [
        "Do this:",
        "open the valve",
        "wait",
        "close it.",
        "Check.",
    ]


def test_each_table_row_stands_alone_whole() -> None:
    table = "| Quantity | Aldane |\n|---|---|\n| Wind. Mean | 16 m/s |\nAfterwards. Rest."
    assert cut(table) == ["| Quantity | Aldane |", "| Wind. Mean | 16 m/s |", "Afterwards.", "Rest."]


def test_a_heading_is_not_glued_to_the_line_below_it() -> None:
    assert cut("## Limits\nClose at 16 m/s.") == ["## Limits", "Close at 16 m/s."]


@given(st.text(alphabet=st.sampled_from('aB1.!?\n |-#*[]()”"。é\u2028 ')) | st.text())
def test_spans_are_ordered_and_cover_every_letter_and_digit(text: str) -> None:
    spans = sentences(text)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    covered = sum(sum(map(str.isalnum, text[start:end])) for start, end in spans)
    bullets = sum(char.isdigit() for char in text)  # an enumerator is dropped with its bullet
    assert covered >= sum(map(str.isalnum, text)) - bullets
