from __future__ import annotations

from reader.behaviour import CASES, table
from support.places import ROOT


def test_the_table_in_the_docs_is_what_the_bundled_model_does() -> None:
    page = (ROOT / "docs" / "reader.md").read_text("utf-8")
    shown = page.split("<!-- behaviour -->\n")[1].split("\n<!-- /behaviour -->")[0]
    assert shown == table(CASES)
