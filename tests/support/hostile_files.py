"""Small files that make a parser work for ever or eat the memory, each made on the spot."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO

from support.loader_samples import docx, epub, pptx, xlsx

Make = Callable[[], bytes]


def _repacked(archive: bytes, name: str, content: bytes) -> bytes:
    """The archive with one entry replaced."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, content if entry == name else old.read(entry))
    return made.getvalue()


def _entry(archive: bytes, name: str) -> bytes:
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return opened.read(name)


def docx_that_unpacks_to_200_mb() -> bytes:
    body = _entry(docx(), "word/document.xml")
    filler = b"<w:p><w:r><w:t>" + b"word " * 20 + b"</w:t></w:r></w:p>"
    return _repacked(docx(), "word/document.xml", body.replace(b"<w:body>", b"<w:body>" + filler * 1_600_000))


def docx_with_a_cell_over_a_million_columns() -> bytes:
    body = _entry(docx(), "word/document.xml")
    span = b'<w:tc><w:tcPr><w:gridSpan w:val="1000000"/></w:tcPr>'
    made = body.replace(b"<w:tc><w:tcPr>", span + b"</w:tc><w:tc><w:tcPr>", 1)
    rows = b"<w:tr>" + (span + b"<w:p/></w:tc>") * 20 + b"</w:tr>"
    return _repacked(docx(), "word/document.xml", made.replace(b"<w:tr>", rows * 50 + b"<w:tr>", 1))


def _sheet(row: int, column: str) -> bytes:
    plain = xlsx({"S": [["a", "b"], [1, 2]]})
    cell = f'<row r="{row}"><c r="{column}{row}" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    body = _entry(plain, "xl/worksheets/sheet1.xml")
    return _repacked(plain, "xl/worksheets/sheet1.xml", body.replace(b"</sheetData>", cell.encode()))


def xlsx_with_a_cell_in_row_two_billion() -> bytes:
    return _sheet(2_000_000_000, "A")


def xlsx_with_cells_in_the_last_column() -> bytes:
    plain = xlsx({"S": [["a", "b"], [1, 2]]})
    rows = "".join(
        f'<row r="{n}"><c r="XFD{n}" t="inlineStr"><is><t>far</t></is></c></row>' for n in range(3, 3000)
    )
    body = _entry(plain, "xl/worksheets/sheet1.xml")
    return _repacked(
        plain, "xl/worksheets/sheet1.xml", body.replace(b"</sheetData>", rows.encode() + b"</sheetData>")
    )


def epub_that_names_one_chapter_40_000_times() -> bytes:
    book = epub({"a.xhtml": "<p>" + "Once upon a time. " * 300 + "</p>"})
    with zipfile.ZipFile(BytesIO(book)) as opened:
        name = next(entry for entry in opened.namelist() if entry.endswith(".opf"))
        package = opened.read(name).decode()
    start = package.index("<itemref")
    reference = package[start : package.index(">", start) + 1]
    if not reference.endswith("/>"):
        reference += "</itemref>"
    return _repacked(book, name, (package[:start] + reference * 40_000 + package[start:]).encode())


def html_with_20_000_cells_of_colspan_1_000() -> bytes:
    row = "<tr>" + '<td colspan="1000" rowspan="1000">x</td>' * 20 + "</tr>"
    return f"<table>{row * 1_000}</table>".encode()


def html_with_200_nested_quotes() -> bytes:
    return ("<blockquote>" * 200 + "<ul><li>" * 50 + "words " * 2000 + "</blockquote>" * 200).encode()


def html_with_nested_tables() -> bytes:
    return ("<table><tr><td>a<td>" * 120 + "deep" + "</table>" * 120).encode()


def html_with_20_000_rows_of_navigation() -> bytes:
    return ("<div>" + "<a href='#x'>next</a> words " * 20_000 + "</div>").encode()


def html_with_a_huge_attribute() -> bytes:
    return b"<p id='" + b"x" * 3_000_000 + b"'>words</p>" + b"<p id=y>more</p>" * 2000


def html_with_unclosed_tags() -> bytes:
    return b"<b><i><a href=x><font>" * 20_000 + b"words"


def html_with_inline_tags_within_each_other() -> bytes:
    return b"<span>" * 50_000 + b"words" + b"</span>" * 50_000


def markdown_heading_of(character: str) -> Make:
    return lambda: f"# {character * 100_000}x\n\nText.\n".encode()


def markdown_line_of(character: str) -> Make:
    return lambda: f"{character * 100_000}x\n\nText.\n".encode()


def markdown_with_200_nested_quotes() -> bytes:
    return ("\n".join(">" * (n % 200 + 1) + " words" for n in range(2000))).encode()


def markdown_with_nested_lists() -> bytes:
    return "\n".join("  " * (n % 100) + "- words" for n in range(5000)).encode()


def markdown_front_matter_of_aliases() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]")
    return ("---\n" + "\n".join(lines) + "\n---\n# Title\n\nText.\n").encode()


def markdown_front_matter_that_never_ends() -> bytes:
    return b"---\n" + b"a: b\n" * 50_000


def markdown_deep_front_matter() -> bytes:
    return b"---\na: " + b"[" * 50_000 + b"\n---\ntext\n"


def rst_title_of_100_kb() -> bytes:
    return ("x" * 100_000 + "\n" + "=" * 100_000 + "\n\nText.\n").encode()


def rst_of_empty_lines() -> bytes:
    return b"Text.\n" + b"\n" * 100_000 + b"More.\n"


def rst_of_colons() -> bytes:
    return b"Text " + b":a" * 50_000 + b"\n"


def csv_with_a_million_columns() -> bytes:
    return b"," * 1_000_000 + b"\n" + b"x," * 500_000 + b"\n" + b"1,2\n" * 2_000


def pdf_that_claims_a_million_pages() -> bytes:
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Count 1000000/Kids[3 0 R]>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )


def json_of_50_mb_in_a_line() -> bytes:
    return b'{"a": [' + b"1," * 24_900_000 + b"1]}"


def json_nested_deeply() -> bytes:
    return b"[" * 1_000_000 + b"]" * 1_000_000


def jsonl_of_100_000_broken_lines() -> bytes:
    return b"{broken\n" * 100_000


def jsonl_of_many_documents() -> bytes:
    return b'{"text": "a"}\n' * 60_000


def json_with_60_000_keys() -> bytes:
    return json.dumps({"text": "The dome.", **{f"key{n}": n for n in range(60_000)}}).encode()


def text_without_a_space() -> bytes:
    return b"x" * 900_000


def text_of_empty_lines() -> bytes:
    return b"a\n" + b"\n" * 1_000_000 + b"b"


def text_in_an_unknown_encoding() -> bytes:
    return bytes([0xE4, 0x20, 0xF6, 0x81]) * 200_000


def xml_of_entities(kind: str) -> Make:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e9;</x>'.encode()
    places = {"docx": ("word/document.xml", docx), "pptx": ("ppt/slides/slide1.xml", pptx)}
    name, make = places[kind]
    return lambda: _repacked(make(), name, bomb)


def pptx_with_deep_groups() -> bytes:
    body = _entry(pptx(), "ppt/slides/slide1.xml")
    group = (
        b'<p:grpSp><p:nvGrpSpPr><p:cNvPr id="9" name="g"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    )
    deep = group * 5_000 + b"</p:grpSp>" * 5_000
    return _repacked(pptx(), "ppt/slides/slide1.xml", body.replace(b"</p:spTree>", deep + b"</p:spTree>"))


def docx_with_deep_tables() -> bytes:
    body = _entry(docx(), "word/document.xml")
    deep = b"<w:tbl><w:tr><w:tc>" * 3_000 + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * 3_000
    return _repacked(docx(), "word/document.xml", body.replace(b"<w:body>", b"<w:body>" + deep))


def html_of_many_paragraphs() -> bytes:
    return b"<p>Some words in a paragraph of a page, <b>bold</b> and <i>not</i>.</p>\n" * 5_000


FILES: dict[str, tuple[str, Make]] = {
    "docx, 200 MB once unpacked": ("a.docx", docx_that_unpacks_to_200_mb),
    "docx, gridSpan of a million": ("a.docx", docx_with_a_cell_over_a_million_columns),
    "docx, deep tables": ("a.docx", docx_with_deep_tables),
    "docx, entities": ("a.docx", xml_of_entities("docx")),
    "pptx, entities": ("a.pptx", xml_of_entities("pptx")),
    "pptx, deep groups": ("a.pptx", pptx_with_deep_groups),
    "xlsx, row 2,000,000,000": ("a.xlsx", xlsx_with_a_cell_in_row_two_billion),
    "xlsx, column XFD": ("a.xlsx", xlsx_with_cells_in_the_last_column),
    "epub, a chapter 40,000 times": ("a.epub", epub_that_names_one_chapter_40_000_times),
    "html, cells of colspan 1,000": ("a.html", html_with_20_000_cells_of_colspan_1_000),
    "html, 200 nested quotes": ("a.html", html_with_200_nested_quotes),
    "html, nested tables": ("a.html", html_with_nested_tables),
    "html, 20,000 rows of navigation": ("a.html", html_with_20_000_rows_of_navigation),
    "html, a huge attribute": ("a.html", html_with_a_huge_attribute),
    "html, unclosed tags": ("a.html", html_with_unclosed_tags),
    "html, spans in spans": ("a.html", html_with_inline_tags_within_each_other),
    "html, 5,000 paragraphs": ("a.html", html_of_many_paragraphs),
    **{f"md, heading of {c!r}": ("a.md", markdown_heading_of(c)) for c in "# \t*_`[<!&\\"},
    **{f"md, line of {c!r}": ("a.md", markdown_line_of(c)) for c in "#>-+=|*_`[]<!&\\:~( "},
    **{
        f"md, line of {c!r}": ("a.md", markdown_line_of(c))
        for c in ("[a](", "![", "<a ", "<!--", "**a ", "`a", "[a]: ", "- ", "1. ", "a*_", "|-", "<a><b", "&a")
    },
    "md, 200 nested quotes": ("a.md", markdown_with_200_nested_quotes),
    "md, nested lists": ("a.md", markdown_with_nested_lists),
    "md, front matter of aliases": ("a.md", markdown_front_matter_of_aliases),
    "md, front matter without end": ("a.md", markdown_front_matter_that_never_ends),
    "md, deep front matter": ("a.md", markdown_deep_front_matter),
    "rst, title of 100 KB": ("a.rst", rst_title_of_100_kb),
    "rst, empty lines": ("a.rst", rst_of_empty_lines),
    "rst, colons": ("a.rst", rst_of_colons),
    "csv, a million columns": ("a.csv", csv_with_a_million_columns),
    "pdf, a million pages": ("a.pdf", pdf_that_claims_a_million_pages),
    "json, 50 MB in a line": ("a.json", json_of_50_mb_in_a_line),
    "json, nested deeply": ("a.json", json_nested_deeply),
    "json, 60,000 keys": ("a.json", json_with_60_000_keys),
    "jsonl, 100,000 broken lines": ("a.jsonl", jsonl_of_100_000_broken_lines),
    "jsonl, 60,000 documents": ("a.jsonl", jsonl_of_many_documents),
    "txt, no space": ("a.txt", text_without_a_space),
    "txt, empty lines": ("a.txt", text_of_empty_lines),
    "txt, unknown encoding": ("a.txt", text_in_an_unknown_encoding),
}
