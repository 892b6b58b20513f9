"""A citation opens the document at the passage."""

from __future__ import annotations

import pytest

from rag.answers.citations import uri
from rag.types import Chunk


@pytest.mark.parametrize(
    ("source", "anchor", "page", "expected"),
    [
        ("docs/page.html", "GUC-SHARED-BUFFERS", None, "docs/page.html#GUC-SHARED-BUFFERS"),
        ("docs/a b.md", "how-to", None, "docs/a%20b.md#how-to"),
        ("m.pdf", "", 3, "m.pdf#page=3"),
        ("slides.pptx", "", 3, "slides.pptx"),
        ("notes.txt", "", None, "notes.txt"),
        ("corpus.jsonl#17", "", None, "corpus.jsonl#17"),
    ],
)
def test_it_is_as_near_as_the_form_of_the_document_allows(
    source: str, anchor: str, page: int | None, expected: str
) -> None:
    assert uri(Chunk("id", "d", source, 0, "text", 0, 4, page=page, anchor=anchor)) == expected
