"""PDF, Word, PowerPoint, Excel and EPUB."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from support.loader_samples import document, docx, epub, load, page, pdf, pptx, reason, xlsx, zipped

from rag.loaders import LoaderSettings, load_file
from rag.types import Document

# --- PDF


def test_each_page_of_a_pdf_starts_at_its_offset() -> None:
    found = document("a.pdf", pdf("alpha", "", "gamma", title="Greek"))
    assert [page(found, n).strip() for n in range(3)] == ["alpha", "", "gamma"]
    assert found.metadata == {"title": "Greek", "format": "pdf"}


def test_a_word_cut_at_the_end_of_a_line_is_whole_again() -> None:
    assert "examination" in document("a.pdf", pdf("The exami-\nnation continues")).text


def test_an_encrypted_pdf_says_so() -> None:
    assert reason("a.pdf", pdf("secret", password="open sesame")) == "encrypted"


def test_a_pdf_without_text_is_probably_scanned() -> None:
    assert (
        reason("a.pdf", pdf("", "")) == "no text on any of its 2 pages: probably scanned, it needs OCR first"
    )


@pytest.mark.parametrize("data", [pdf("text")[:500], b"%PDF-1.7\nnothing", b"no pdf at all"])
def test_a_broken_pdf_is_damaged(data: bytes) -> None:
    assert reason("a.pdf", data).startswith("damaged: ")


def test_pdfs_can_be_read_from_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    files = [pdf(*[f"file {n}"] * 5) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda data: document("a.pdf", data).text, files))
    assert [text.count(f"file {n}") for n, text in enumerate(texts)] == [5] * 8


# --- Word


def test_a_word_document_keeps_headings_lists_and_tables() -> None:
    found = document("a.docx", docx())
    table = "| Tool | Qty |\n| --- | --- |\n| Saw | 3 |"
    assert found.text == f"# Safety\n\nWear a helmet.\n\n## Ladders\n\n- Two people.\n\n{table}"
    assert found.markup == "markdown"


def test_a_word_document_knows_its_title_and_author() -> None:
    found = document("a.docx", docx(title="House rules"))
    assert (found.metadata["title"], found.metadata["author"]) == ("House rules", "Ada")


def test_the_title_of_a_word_document_is_else_its_first_heading() -> None:
    assert document("a.docx", docx()).metadata["title"] == "Safety"


# --- PowerPoint


def test_a_slide_is_a_page_with_its_title_text_and_notes() -> None:
    found = document("a.pptx", pptx())
    assert page(found, 0) == "# Welcome\n\nDoors open at nine\n\nNotes: Smile\n\n"
    assert found.metadata["title"] == "Welcome"


def test_a_slide_without_title_is_numbered_and_keeps_tables_and_groups() -> None:
    assert page(document("a.pptx", pptx()), 1) == (
        "# Slide 2\n\n| Room | Seats |\n| --- | --- |\n| Blue | 40 |\n\nInside a group"
    )


# --- Excel


def test_each_row_of_a_sheet_says_what_its_cells_mean() -> None:
    rows: list[list[object]] = [
        ["Item", "Count", "Since"],
        ["Lamp", 3.0, datetime(2024, 1, 2)],
        ["Bolt", None, datetime(2024, 1, 2, 3, 4)],
    ]
    assert document("a.xlsx", xlsx({"Stock": rows, "Empty": []})).text == (
        "# Stock\n\nItem: Lamp; Count: 3; Since: 2024-01-02\n\nItem: Bolt; Since: 2024-01-02 03:04:00"
    )


def test_a_caption_above_a_table_is_not_its_header() -> None:
    text = document("a.xlsx", xlsx({"S": [["Inventory"], ["Item", "2024"], ["Lamp", 1.5]]})).text
    assert text == "# S\n\nInventory\n\nItem: Lamp; 2024: 1.5"


def test_a_workbook_without_cells_is_empty() -> None:
    assert reason("a.xlsx", xlsx({"S": []})) == "empty"


# --- EPUB


def test_a_book_is_read_in_the_order_of_its_spine() -> None:
    found = document(
        "a.epub", epub({"two.xhtml": "<h1>Two</h1>", "one%20.xhtml": "<h1>One</h1><nav>menu</nav>"})
    )
    assert found.text == "# One\n\n# Two"
    assert found.metadata == {"title": "The Book", "author": "Ada", "format": "epub"}


def test_a_locked_book_is_encrypted() -> None:
    locks = {"META-INF/encryption.xml": '<CipherReference URI="OPS/one.xhtml"/>'}
    assert reason("a.epub", epub({"one.xhtml": "?"}, locks)) == "encrypted"


def test_a_book_may_lock_its_fonts() -> None:
    locks = {"META-INF/encryption.xml": '<CipherReference URI="OPS/font.otf"/>'}
    assert document("a.epub", epub({"one.xhtml": "text"}, locks)).text == "text"


def test_a_book_that_unpacks_beyond_the_limit_is_not_unpacked() -> None:
    bomb = epub({"one.xhtml": "a" * 1_000_000})
    assert reason("a.epub", bomb, max_bytes=500_000).startswith("too large once unpacked: 1,000,")


def test_a_book_without_one_of_its_chapters_names_it() -> None:
    assert reason("a.epub", epub({"a/../../gone.xhtml": "x"})) == "damaged: gone.xhtml is missing in it"


# --- all of them


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx"])
def test_an_office_bomb_is_not_unpacked(suffix: str) -> None:
    bomb = zipped({"a.xml": b"0" * 1_000_000})
    assert "too large once unpacked" in reason(f"a.{suffix}", bomb, max_bytes=40_000)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", docx()[:2000]),
        ("a.pptx", pptx()[:2000]),
        ("a.xlsx", xlsx({"S": [["a"]]})[:2000]),
        ("a.epub", epub({"a.xhtml": "x"})[:200]),
    ],
)
def test_a_truncated_archive_is_damaged(name: str, data: bytes) -> None:
    assert reason(name, data).startswith("damaged, or no ")


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "epub"])
def test_some_other_archive_is_skipped_with_a_reason(suffix: str) -> None:
    assert reason(f"a.{suffix}", zipped({"hello.txt": "hello"}))


def test_every_kind_states_its_format(tmp_path: Path) -> None:
    made = {
        "pdf": pdf("x"),
        "docx": docx(),
        "pptx": pptx(),
        "xlsx": xlsx({"S": [["x"]]}),
        "epub": epub({"a": "x"}),
    }
    for suffix, data in made.items():
        (found,) = load_file(tmp_path / f"a.{suffix.upper()}", "a", data, LoaderSettings())
        assert isinstance(found, Document)
        assert found.metadata["format"] == suffix


def test_a_document_type_with_an_external_entity_reads_nothing_from_disk() -> None:
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    evil = f'{entity}<container><rootfile full-path="&e;"/></container>'
    (skipped,) = load("a.epub", zipped({"META-INF/container.xml": evil}))
    assert "root:" not in str(skipped)
