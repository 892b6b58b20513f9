"""Real files of every kind, made on the spot."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from rag.loaders import LoaderSettings, load_file
from rag.types import Document, Skipped


def load(name: str, data: bytes | str, *, max_bytes: int = 50_000_000) -> list[Document | Skipped]:
    content = data.encode() if isinstance(data, str) else data
    return load_file(Path(name), name, content, LoaderSettings(max_bytes=max_bytes))


def document(name: str, data: bytes | str) -> Document:
    (loaded,) = load(name, data)
    assert isinstance(loaded, Document), loaded
    return loaded


def reason(name: str, data: bytes | str, *, max_bytes: int = 50_000_000) -> str:
    (loaded,) = load(name, data, max_bytes=max_bytes)
    assert isinstance(loaded, Skipped), loaded
    return loaded.reason


def page(of: Document, number: int) -> str:
    starts = [*of.pages, len(of.text)]
    return of.text[starts[number] : starts[number + 1]]


def zipped(entries: Mapping[str, str | bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    from fpdf import FPDF

    made = FPDF()
    if title:
        made.set_title(title)
    if password:
        made.set_encryption(owner_password="owner", user_password=password)
    made.set_font("helvetica", size=12)
    for text in pages:
        made.add_page()
        if text:
            made.multi_cell(100, 8, text)
        else:
            made.rect(10, 10, 50, 50)
    return bytes(made.output())


def docx(title: str = "") -> bytes:
    from docx import Document as Word

    made = Word()
    made.core_properties.title = title
    made.core_properties.author = "Ada"
    made.add_heading("Safety", 1)
    made.add_paragraph("Wear a helmet.")
    made.add_heading("Ladders", 2)
    made.add_paragraph("Two people.", style="List Bullet")
    table = made.add_table(2, 2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ("Tool", "Qty", "Saw", "3"), strict=True
    ):
        cell.text = text
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Emu

    made = Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    assert first.shapes.title is not None
    first.shapes.title.text = "Welcome"
    first.placeholders[1].text = "Doors open at nine"
    notes = first.notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "Smile"
    second = made.slides.add_slide(made.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Emu(0), Emu(0), Emu(9), Emu(9)).table
    for at, text in enumerate(("Room", "Seats", "Blue", "40")):
        table.cell(*divmod(at, 2)).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(Emu(0), Emu(0), Emu(9), Emu(9)).text_frame.text = "Inside a group"
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    from openpyxl import Workbook

    made = Workbook()
    del made[made.sheetnames[0]]
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def epub(chapters: Mapping[str, str], extra: Mapping[str, str] | None = None) -> bytes:
    """A book whose chapters are read in the reverse of the order in which they are packed."""
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    package = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf">
        <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
        <dc:title>The Book</dc:title><dc:creator>Ada</dc:creator></metadata>
        <manifest>{items}</manifest><spine>{spine}</spine></package>"""
    container = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
        <rootfile full-path="OPS/book.opf"/></rootfiles></container>"""
    pages = {
        f"OPS/{name.replace('%20', ' ')}": f"<html><body>{body}</body></html>"
        for name, body in chapters.items()
    }
    return zipped({"META-INF/container.xml": container, "OPS/book.opf": package, **pages, **(extra or {})})
