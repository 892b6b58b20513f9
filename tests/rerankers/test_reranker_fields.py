from __future__ import annotations

import pytest

from rag.rerankers.fields import reading
from rag.types import Chunk

CHUNK = Chunk(
    id="1",
    document_id="d",
    source="weather/limits.md",
    ordinal=0,
    text="Close at 16 m/s.",
    start=0,
    end=16,
    headings=("Weather", "Limits"),
    reading="Weather › Limits\nClose at 16 m/s.",
    metadata={"department": "Operations", "year": 2025, "tags": ("wind", "dome")},
)
BARE = Chunk("1", "d", "a.txt", 0, "text", 0, 4)


def test_without_fields_a_chunk_is_read_as_it_was_embedded() -> None:
    assert reading(CHUNK) == "Weather › Limits\nClose at 16 m/s."


def test_a_chunk_without_a_reading_is_read_as_its_text() -> None:
    assert reading(BARE) == "text"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("text",), "Close at 16 m/s."),
        (("title", "text"), "title: Weather\nClose at 16 m/s."),
        (("text", "title"), "Close at 16 m/s.\ntitle: Weather"),
        (("headings",), "headings: Weather › Limits"),
        (("source", "department"), "source: weather/limits.md\ndepartment: Operations"),
        (("year", "tags"), "year: 2025\ntags: wind, dome"),
    ],
)
def test_fields_are_read_in_the_order_named(fields: tuple[str, ...], expected: str) -> None:
    assert reading(CHUNK, fields) == expected


def test_the_title_of_the_metadata_wins_over_the_first_heading() -> None:
    titled = Chunk("1", "d", "a.md", 0, "x", 0, 1, ("Heading",), metadata={"title": "Title"})
    assert reading(titled, ("title",)) == "title: Title"


def test_a_field_that_a_chunk_does_not_have_is_left_out() -> None:
    assert reading(CHUNK, ("author", "text")) == "Close at 16 m/s."


def test_a_chunk_with_none_of_the_fields_is_still_read() -> None:
    assert reading(BARE, ("title", "author")) == "text"
