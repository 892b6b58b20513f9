"""reStructuredText: read as its authors wrote it, Sphinx's own words included."""

from __future__ import annotations

import pytest
from support.loader_samples import document

from rag.markdown import titles, visible


def test_titles_become_headings_by_order_of_appearance() -> None:
    text = "=====\nGuide\n=====\n\nPart\n====\n\ntext\n\nSub\n---\n\nmore\n\nPart 2\n======\n"
    found = document("a.rst", text)
    assert found.text == "# Guide\n\n## Part\n\ntext\n\n### Sub\n\nmore\n\n## Part 2"
    assert (found.metadata["title"], found.markup) == ("Guide", "markdown")


@pytest.mark.parametrize(
    "text",
    [
        "para\n\n----------\n\npara",
        "=====  =====\nA      B\n=====  =====\n1      2\n=====  =====",
        "code::\n\n    Title\n    =====\n",
        "+---+\n| a |\n+---+",
    ],
)
def test_what_only_looks_like_a_title_is_none(text: str) -> None:
    assert titles(document("a.rst", text).text) == []


def test_levels_beyond_six_stay_at_six() -> None:
    text = "\n".join(f"Title {mark}\n{mark * 8}\n" for mark in "=-~^*+#")
    assert document("a.rst", text).text.count("\n###### ") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set ``shared_buffers`` or *one* or ``count(*)``", "set `shared_buffers` or one or `count(*)`"),
        (
            "see :func:`json.dumps`, :ref:`the page <page>` and :class:`!Exit`",
            "see `json.dumps`, the page and `Exit`",
        ),
        ("as `nowhere`_ says of |version|", "as nowhere says of version"),
        ("dome\n   Opens.\n\n   At dusk.", "- **dome**\n\n  Opens.\n\n  At dusk."),
        (":Author: Ada\n\n:key_a: One.", "- **key_a:**\n\n  One."),
        ("-a, --all  All of it.", "- **`-a, --all`**\n\n  All of it."),
        (
            ".. option:: -x FILE\n            --ex\n\n   Reads it.",
            "- **`-x FILE`**\n  **`--ex`**\n\n  Reads it.",
        ),
        (".. py:function:: open(dome_a)\n   :module: x\n\n   Opens.", "- **`open(dome_a)`**\n\n  Opens."),
        (".. code-block:: sh\n   :linenos:\n\n   open\n   close", "```\nopen\nclose\n```"),
        (".. note:: Mind it.", "**Note**\n\nMind it."),
        (".. versionadded:: 3.2\n   It grew.", "New in version 3.2 It grew."),
        (".. toctree::\n\n   a\n   b\n\nText.", "Text."),
        (
            "=====  =====\nA      B\n=====  =====\n1      2\n=====  =====",
            "| A | B |\n| --- | --- |\n| 1 | 2 |",
        ),
    ],
)
def test_it_is_read_as_what_it_looks_like(text: str, expected: str) -> None:
    assert document("a.rst", text).text.endswith(expected)


def test_what_cannot_be_read_stands_as_it_is() -> None:
    found = document("a.rst", "Before.\n\n+---+\n| a | b |\n+--+\n\nAfter *it.")
    for word in ("Before.", "| a | b |", "After", "it."):
        assert word in visible(found.text)


def test_it_reads_no_other_file() -> None:
    found = document("a.rst", "Text.\n\n.. include:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n")
    assert "root" not in found.text
