"""Build the .docx and .pdf files of the demo handbook from Markdown sources.

The sources are ``data/handbook_src/*.md``; each one names its output in its
front matter (``target: safety/lockout-procedure.docx``), relative to
``data/handbook``. The output carries fixed timestamps (the ``revised`` date), so
that running the script again with the same library versions gives the same bytes.

    python scripts/make_handbook.py           # write the files
    python scripts/make_handbook.py --check   # compare committed files, write nothing

``--check`` compares extracted text (page by page for PDF), not bytes, because
another version of a library may write a different file with the same content.

Needs: python-docx, fpdf2, pypdfium2.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import docx
import pypdfium2  # type: ignore[import-untyped]  # the package ships no type information
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "data" / "handbook_src"
HANDBOOK = ROOT / "data" / "handbook"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # earliest date that a zip archive can hold

PAGE_BREAK = "<!-- pagebreak -->"

Kind = Literal["heading", "paragraph", "bullet", "number", "table", "pagebreak"]


@dataclass(frozen=True)
class Block:
    """One block of a source: ``text`` for running text, ``rows`` for a table."""

    kind: Kind
    text: str = ""
    level: int = 0  # heading level, or the number of a numbered item
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Source:
    path: Path
    meta: dict[str, str]
    blocks: tuple[Block, ...]

    @property
    def target(self) -> Path:
        return HANDBOOK / self.meta["target"]

    @property
    def revised(self) -> datetime:
        return datetime.fromisoformat(self.meta["revised"]).replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Drop the inline marks ``*``, ``**`` and backquote."""
    return re.sub(r"\*{1,2}([^*]+)\*{1,2}", r"\1", text).replace("`", "").strip()


def parse_blocks(body: str) -> Iterator[Block]:
    table: list[tuple[str, ...]] = []
    for line in [*body.splitlines(), ""]:
        if line.startswith("|"):
            cells = tuple(plain(cell) for cell in line.strip().strip("|").split("|"))
            if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                table.append(cells)
            continue
        if table:
            yield Block("table", rows=tuple(table))
            table = []
        if not line.strip():
            continue
        if line.strip() == PAGE_BREAK:
            yield Block("pagebreak")
        elif heading := re.match(r"(#+) (.*)", line):
            yield Block("heading", plain(heading[2]), len(heading[1]))
        elif line.startswith("- "):
            yield Block("bullet", plain(line[2:]))
        elif item := re.match(r"(\d+)\. (.*)", line):
            yield Block("number", plain(item[2]), int(item[1]))
        else:
            yield Block("paragraph", plain(line))


def read_source(path: Path) -> Source:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    meta: dict[str, str] = {}
    for line in front.splitlines():
        key, _, value = line.partition(":")
        meta[key.strip()] = value.strip()
    return Source(path, meta, tuple(parse_blocks(body)))


def build_docx(source: Source) -> bytes:
    document = docx.Document()
    properties = document.core_properties
    properties.title = source.meta["title"]
    properties.author = source.meta["department"]
    properties.last_modified_by = source.meta["department"]
    properties.comments = ""
    properties.created = properties.modified = source.revised
    for block in source.blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "paragraph":
            document.add_paragraph(block.text)
        elif block.kind == "bullet":
            document.add_paragraph(block.text, style="List Bullet")
        elif block.kind == "number":
            document.add_paragraph(block.text, style="List Number")
        elif block.kind == "table":
            table = document.add_table(0, len(block.rows[0]), "Table Grid")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        else:
            raise ValueError(f"{source.path}: page breaks are for PDF only")
    numbers = [block.level for block in source.blocks if block.kind == "number"]
    if numbers.count(1) > 1:
        raise ValueError(f"{source.path}: Word would number two lists as one")
    raw, fixed = io.BytesIO(), io.BytesIO()
    document.save(raw)
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(fixed, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            new.writestr(info, old.read(name))
    return fixed.getvalue()


class HandbookPdf(FPDF):
    """A4 pages with the title above and the page number below."""

    def __init__(self, title: str, line: str) -> None:
        super().__init__(format="A4")
        self.running_title = title
        self.running_line = line
        self.set_margins(22, 20, 22)
        self.set_auto_page_break(True, margin=22)

    def header(self) -> None:
        self.set_font("Helvetica", "I", 8)
        self.cell(0, 6, f"Kelvane Observatory - {self.running_title}")
        self.ln(10)

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", "", 8)
        text = f"{self.running_line} - page {self.page_no()} of {{nb}}"
        self.cell(0, 6, text, align="C")

    def block(self, text: str, indent: float = 0) -> None:
        self.set_x(self.l_margin + indent)
        self.multi_cell(0, 5.6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def build_pdf(source: Source) -> bytes:
    line = f"{source.meta['department']}, revised {source.meta['revised']}"
    pdf = HandbookPdf(source.meta["title"], f"{line}, {source.meta['status']}")
    pdf.set_title(source.meta["title"])
    pdf.set_author(source.meta["department"])
    pdf.set_creation_date(source.revised)
    pdf.add_page()
    for block in source.blocks:
        pdf.set_font("Helvetica", "", 10.5)
        if block.kind == "heading":
            pdf.ln(2)
            pdf.set_font("Helvetica", "B", {1: 18, 2: 14}.get(block.level, 11.5))
            pdf.start_section(block.text, level=block.level - 1)
            pdf.multi_cell(0, 8, block.text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            pdf.ln(1)
        elif block.kind == "paragraph":
            pdf.block(block.text)
            pdf.ln(2)
        elif block.kind == "bullet":
            pdf.block(f"- {block.text}", indent=4)
        elif block.kind == "number":
            pdf.block(f"{block.level}. {block.text}", indent=4)
        elif block.kind == "table":
            pdf.ln(2)
            pdf.set_font("Helvetica", "", 9.5)
            with pdf.table(block.rows, headings_style=FontFace(emphasis="BOLD")):
                pass  # all rows are given; the table is drawn when the block ends
            pdf.ln(3)
        else:
            pdf.add_page()
    return bytes(pdf.output())


def docx_text(data: bytes) -> list[str]:
    document = docx.Document(io.BytesIO(data))
    lines = []
    for paragraph in document.paragraphs:
        style = paragraph.style.name if paragraph.style else ""
        lines.append(f"{style}: {paragraph.text}")
    for table in document.tables:
        lines += [" | ".join(cell.text for cell in row.cells) for row in table.rows]
    return lines


def pdf_text(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(data)
    try:
        pages = [page.get_textpage().get_text_range() for page in document]
        return [" ".join(page.split()) for page in pages]
    finally:
        document.close()


BUILD: dict[str, Callable[[Source], bytes]] = {".docx": build_docx, ".pdf": build_pdf}
TEXT: dict[str, Callable[[bytes], list[str]]] = {".docx": docx_text, ".pdf": pdf_text}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the text of a file differs from its source",
    )
    check = parser.parse_args(argv).check
    stale = 0
    for source in map(read_source, sorted(SOURCES.glob("*.md"))):
        target = source.target
        data = BUILD[target.suffix](source)
        name = target.relative_to(ROOT)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            print(f"wrote {name}")
            continue
        text = TEXT[target.suffix]
        if not target.exists() or text(target.read_bytes()) != text(data):
            stale += 1
            origin = source.path.relative_to(ROOT)
            print(f"stale {name} (source {origin})", file=sys.stderr)
    if check and not stale:
        print("the handbook files match their sources")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
