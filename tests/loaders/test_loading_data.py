"""CSV, JSON and JSON lines."""

from __future__ import annotations

import json

import pytest
from support.loader_samples import document, load, reason

from rag.types import Document, Skipped

# --- CSV


def test_each_row_says_by_itself_what_its_cells_mean() -> None:
    found = document("a.csv", "name,price\nLamp,3\nBolt,\n")
    assert found.text == "name: Lamp; price: 3\n\nname: Bolt"
    assert found.markup == "text"


def test_quoted_cells_keep_delimiters_quotes_and_one_line() -> None:
    assert document("a.csv", 'name,note\nLamp,"big, ""red""\n\nand round"\n').text == (
        'name: Lamp; note: big, "red" and round'
    )


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    rows = [["name", "place", "note"], ["Ada", "London", "first"], ["Emmy", "Erlangen", "rings"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert document("a.csv", text).text.startswith("name: Ada; place: London; note: first\n\n")


def test_decimal_commas_are_not_delimiters() -> None:
    assert (
        document("a.csv", "name;price\nTür;1,50\nTor;2,75\n").text
        == "name: Tür; price: 1,50\n\nname: Tor; price: 2,75"
    )


def test_a_tsv_is_cut_at_tabs_alone() -> None:
    assert document("a.tsv", "a\tb\n1,2\t3\n").text == "a: 1,2; b: 3"


def test_without_a_header_the_values_stand_alone() -> None:
    assert document("a.csv", "1,Lamp\n2,Bolt\n").text == "1; Lamp\n\n2; Bolt"


def test_years_may_head_a_column() -> None:
    assert document("a.csv", "region,2023,2024\nNorth,5,6\n").text == "region: North; 2023: 5; 2024: 6"


def test_one_column_is_a_list_without_header() -> None:
    assert document("a.csv", "first line\nsecond line\n").text == "first line\n\nsecond line"


def test_a_row_longer_than_the_header_loses_nothing() -> None:
    assert document("a.csv", "a,b\n1,2,3\n").text == "a: 1; b: 2; 3"


def test_a_quote_that_never_closes_swallows_no_large_file() -> None:
    text = 'a,b\n"1,2\n' + "x,y\n" * 50_000
    assert document("a.csv", text).text.count("a: x; b: y") == 50_000


# --- JSON


def test_an_object_with_a_text_is_a_document() -> None:
    found = document("a.json", json.dumps({"text": "hello", "title": "T", "year": 2024, "by": ["A", "B"]}))
    assert found.text == "hello"
    assert found.metadata == {"title": "T", "year": 2024, "by": ("A", "B"), "format": "json"}


def test_a_list_of_objects_with_texts_is_as_many_documents() -> None:
    found = load("a.json", json.dumps([{"text": "one", "id": "x"}, {"text": "two"}]))
    assert [(item.source, item.text) for item in found if isinstance(item, Document)] == [
        ("a.json#x", "one"),
        ("a.json#2", "two"),
    ]


def test_any_other_json_is_shown_as_it_is() -> None:
    assert document("a.json", '{"größe": [1]}').text == '{\n  "größe": [\n    1\n  ]\n}'


def test_broken_json_names_the_place() -> None:
    assert reason("a.json", '{"a": 1,}').startswith("not valid JSON: ")


@pytest.mark.parametrize("text", ["{}", "[]", "null", '""'])
def test_json_that_says_nothing_is_empty(text: str) -> None:
    assert reason("a.json", text) == "empty"


def test_json_nested_without_end_is_skipped() -> None:
    assert reason("a.json", "[" * 50_000 + "]" * 50_000) == "nested too deeply to be read"


def test_control_characters_and_lone_surrogates_are_taken_out() -> None:
    assert document("a.json", r'{"text": "a\u0000b\ud800c", "k": "\ud800"}').text == "ab\ufffdc"


# --- JSON lines


def lines(*records: object) -> str:
    return "\n".join(record if isinstance(record, str) else json.dumps(record) for record in records)


def test_a_beir_corpus_loads_as_it_is() -> None:
    found = document(
        "corpus.jsonl",
        lines({"_id": "d7", "title": "Mars", "text": "Red.", "metadata": {"url": "x", "n": 2}}),
    )
    assert (found.source, found.text) == ("corpus.jsonl#d7", "Red.")
    assert found.metadata == {"url": "x", "n": 2, "title": "Mars", "format": "jsonl"}


def test_each_line_is_named_by_its_id_or_its_number() -> None:
    found = load("a.ndjson", lines({"_id": "x", "text": "a"}, {"id": 7, "text": "b"}, {"text": "c"}))
    assert [item.source for item in found] == ["a.ndjson#x", "a.ndjson#7", "a.ndjson#3"]


def test_a_bad_line_costs_nobody_but_itself() -> None:
    good, bad, last = load("a.jsonl", lines({"text": "a"}, "{oops", {"text": "c"}))
    assert isinstance(good, Document)
    assert isinstance(last, Document)
    assert isinstance(bad, Skipped)
    assert bad.reason.startswith("line 2: not valid JSON: ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": " "}', "line 1: empty"),
        ('{"question": "?"}', "line 1: it has no field 'text'"),
        ("[1, 2]", "line 1: not a JSON object"),
        ("[" * 50_000, "line 1: nested too deeply to be read"),
    ],
)
def test_a_line_that_is_no_document_says_why(line: str, why: str) -> None:
    assert reason("a.jsonl", line) == why


def test_a_title_alone_is_the_text() -> None:
    found = document("a.jsonl", lines({"_id": "1", "title": "Mars", "text": ""}))
    assert (found.text, found.metadata["title"]) == ("Mars", "Mars")


def test_an_id_that_is_taken_is_refused() -> None:
    found = load("a.jsonl", lines({"_id": "x", "text": "a"}, {"_id": "x", "text": "b"}))
    assert found[1] == Skipped("a.jsonl", "line 2: its id 'x' is that of line 1")


def test_a_line_separator_inside_a_string_does_not_end_the_line() -> None:
    assert document("a.jsonl", '{"text": "a\u2028b"}').text == "a\u2028b"


def test_a_file_of_blank_lines_between_records_loads() -> None:
    assert len(load("a.jsonl", lines({"text": "a"}, "", {"text": "b"}, ""))) == 2


def test_a_file_of_nothing_but_control_characters_is_empty() -> None:
    assert reason("a.jsonl", b"\x01\n\x02") == "empty"
