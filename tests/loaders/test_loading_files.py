"""What holds for every kind of file: encodings, names, sizes, metadata."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from support.loader_samples import document, load, reason

from rag.loaders import LoaderSettings, document_id

GERMAN = "Die Größe der Kuppel beträgt „zwölf“ Meter – für 5 €.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_text_reads_the_same_in_every_common_encoding(encoding: str) -> None:
    assert document("a.txt", GERMAN.encode(encoding)).text == GERMAN


@pytest.mark.parametrize("text", ["café", "El Niño", "São Paulo é uma cidade", "Temperatur: 20 °C"])
def test_a_short_latin_1_text_keeps_its_accents(text: str) -> None:
    assert document("a.txt", text.encode("latin-1")).text == text


def test_a_cyrillic_text_is_not_taken_for_a_western_one() -> None:
    text = "Это более длинный текст на русском языке, чтобы определить кодировку."
    assert document("a.txt", text.encode("cp1251")).text == text


def test_one_bad_byte_does_not_garble_a_utf_8_file() -> None:
    data = "Größe, Länge, Höhe, Übermaß, Ärger, Öl\n".encode() * 3 + b"\xff"
    assert document("a.log", data).text.startswith("Größe, Länge")


def test_nul_bytes_make_a_file_binary() -> None:
    assert reason("a.txt", b"text\0text") == "binary file"


def test_an_unknown_binary_file_is_skipped() -> None:
    assert reason("a.xyz", bytes(range(256))) == "binary file"


def test_bytes_that_no_encoding_explains_are_binary() -> None:
    assert reason("a.txt", bytes(range(128, 256)) * 20) == "binary file"


@pytest.mark.parametrize("suffix", ["txt", "md", "html", "csv", "json", "jsonl", "pdf", "docx", "rst", "py"])
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n "])
def test_a_file_without_a_word_is_empty(suffix: str, data: bytes) -> None:
    assert reason(f"a.{suffix}", data) == "empty"


def test_a_byte_order_mark_alone_is_empty() -> None:
    assert reason("a.txt", b"\xef\xbb\xbf") == "empty"


def test_a_file_over_the_limit_is_skipped_with_both_numbers() -> None:
    assert reason("a.txt", b"x" * 2001, max_bytes=2000) == "too large: 2,001 bytes, and max_bytes is 2,000"


def test_line_ends_become_one_kind_and_control_characters_vanish() -> None:
    assert document("a.txt", b"a\r\nb\rc\td\x07e\x0cf").text == "a\nb\nc\tde\nf"


def test_nothing_else_in_a_text_is_changed() -> None:
    text = "  two  spaces \u00a0 \u2028 e\u0301 \ufb01 \U0001f600 \n\n\n\nend  "
    assert document("a.txt", text).text == text


@pytest.mark.parametrize("name", ["README", "Makefile", "a.py", "a.rs", "a.yaml", "a.tex", "a.unheard-of"])
def test_whatever_is_text_is_read_as_text(name: str) -> None:
    found = document(name, "# not a heading\n")
    assert (found.text, found.markup) == ("# not a heading\n", "text")


def test_the_format_is_the_suffix_in_lower_case() -> None:
    assert document("a.PY", "x = 1").metadata["format"] == "py"


def test_the_format_of_a_file_without_suffix_is_txt() -> None:
    assert document("README", "hello").metadata["format"] == "txt"


def test_the_id_of_a_document_depends_on_its_source_alone() -> None:
    assert document("a.txt", "one").id == document("a.txt", "two").id == document_id("a.txt")


def test_two_sources_have_two_ids() -> None:
    assert document_id("a.txt") != document_id("b.txt")


@pytest.mark.parametrize("name", ["a.doc", "a.xls", "a.ppt", "a.docx", "a.xlsx", "a.pptx"])
def test_old_and_encrypted_office_files_say_so(name: str) -> None:
    data = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(512)
    assert reason(name, data) == "encrypted or in the old binary Office format"


def test_rich_text_is_refused_with_a_remedy() -> None:
    assert "save it as docx" in reason("a.doc", r"{\rtf1\ansi hello}")


def test_a_setting_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValidationError):
        LoaderSettings(max_size=3)  # type: ignore[call-arg]  # that is the point


def test_loading_twice_gives_equal_documents() -> None:
    assert load("a.md", "---\ntags: [a, b]\n---\n# T\ntext") == load(
        "a.md", "---\ntags: [a, b]\n---\n# T\ntext"
    )
