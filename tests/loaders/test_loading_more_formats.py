"""Packed files, notebooks, mail, OpenDocument and subtitles, each made here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest
from support.loader_samples import document, load, pdf, reason, zipped

from rag.loaders import LoaderSettings, is_quick, load_file
from rag.types import Document, Skipped

# --- gzip -----------------------------------------------------------------------------------------


def test_a_packed_file_is_read_as_what_it_was() -> None:
    packed = document("manual.html.gz", gzip.compress(b"<title>Dome</title><p>It opens at <b>dusk</b>."))
    assert (packed.text, packed.source) == ("It opens at **dusk**.", "manual.html.gz")
    assert packed.metadata == {"title": "Dome", "format": "html"}
    assert document("notes.GZ", gzip.compress(b"as it stands")).text == "as it stands"
    assert "one" in document("a.pdf.gz", gzip.compress(pdf("one"))).text
    two = gzip.compress(b"first ") + gzip.compress(b"second")
    assert document("a.txt.gz", two).text == "first second"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no gzip at all", "damaged, or no gzip file"),
        (gzip.compress(b"words " * 100)[:-9], "damaged, or no gzip file"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(b"\0" * 1000), "binary file"),
        (gzip.compress(gzip.compress(b"twice")), "binary file"),
    ],
)
def test_what_is_packed_badly_or_twice_is_told(data: bytes, why: str) -> None:
    assert why in reason("a.txt.gz", data)


def test_a_small_file_that_unpacks_to_a_gigabyte_is_not_unpacked() -> None:
    assert "too large once unpacked" in reason("a.txt.gz", gzip.compress(b"x" * 2_000_000), max_bytes=100_000)
    assert not is_quick(Path("a.txt.gz"), 100)


# --- notebooks ------------------------------------------------------------------------------------


def notebook(*cells: Mapping[str, object]) -> str:
    return json.dumps({"cells": cells, "metadata": {"language_info": {"name": "python"}}})


def test_a_notebook_is_its_text_its_code_and_what_that_printed() -> None:
    code = {
        "cell_type": "code",
        "source": ["x = 1\n", "print(x)"],
        "outputs": [
            {"output_type": "stream", "text": ["1\n"]},
            {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure>"}},
            {"output_type": "error", "evalue": "no such dome"},
        ],
    }
    made = document(
        "a.ipynb", notebook({"cell_type": "markdown", "source": "# Dome\n\nOpens at *dusk*."}, code)
    )
    assert made.text == (
        "# Dome\n\nOpens at *dusk*.\n\n```python\nx = 1\nprint(x)\n```\n\n```\n1\n```\n\n"
        "```\n<Figure>\n```\n\n```\nno such dome\n```"
    )
    assert (made.metadata["title"], made.markup, made.anchors) == ("Dome", "markdown", ((0, "dome"),))


def test_an_old_notebook_has_its_cells_in_worksheets() -> None:
    cells = [{"cell_type": "heading", "level": 2, "source": "Dome"}, {"cell_type": "code", "input": "x"}]
    assert (
        document("a.ipynb", json.dumps({"worksheets": [{"cells": cells}]})).text == "## Dome\n\n```\nx\n```"
    )


@pytest.mark.parametrize(
    "data",
    ['{"cells": 5}', '{"cells": [1, null, {"source": {"a": 1}}]}', "[]", "{", '{"cells": [{"outputs": 1}]}'],
)
def test_a_notebook_without_cells_gives_a_reason(data: str) -> None:
    assert reason("a.ipynb", data)


# --- mail -----------------------------------------------------------------------------------------


def mail(body: str = "It opens at dusk.", html: str = "", **attached: bytes) -> bytes:
    made = EmailMessage()
    made["Subject"], made["From"] = "The dome’s hours", "Ada <ada@example.org>"
    made["To"], made["Date"] = "all@example.org", "Tue, 10 Feb 2026 10:00:00 +0100"
    made.set_content(body)
    if html:
        made.add_alternative(html, subtype="html")
    for name, data in attached.items():
        text = name.startswith("text")
        main, sub = ("text", "plain") if text else ("application", "pdf")
        made.add_attachment(data, maintype=main, subtype=sub, filename=f"{name}.{'txt' if text else 'pdf'}")
    return bytes(made)


def test_a_message_is_its_subject_and_text_and_its_headers_are_metadata() -> None:
    made = document("a.eml", mail(html="<p>It opens at <b>dusk</b>."))
    assert made.text == "The dome’s hours\n\nIt opens at dusk."
    assert made.metadata["title"] == "The dome’s hours"
    assert made.metadata["author"] == "Ada <ada@example.org>"
    assert made.metadata["date"] == "2026-02-10T10:00:00+01:00"


def test_what_is_attached_is_read_if_it_is_text_and_told_if_it_is_not() -> None:
    made, told = load("a.eml", mail(text=b"Closed on Monday.", report=pdf("one")))
    assert isinstance(made, Document)
    assert made.text.endswith("text.txt\n\nClosed on Monday.")
    assert told == Skipped("a.eml", "attached and not read: report.pdf")


def test_a_message_of_html_alone_is_a_page() -> None:
    data = b"Subject: Hours\nContent-Type: text/html; charset=iso-8859-1\n\n<p>Ge\xf6ffnet: <b>nie</b>"
    made = document("a.eml", data)
    assert (made.text, made.markup) == ("# Hours\n\nGeöffnet: **nie**", "markdown")


def test_an_mbox_is_a_document_for_each_message_and_a_bad_one_costs_no_other() -> None:
    one, two = mail("First.\n\nFrom here on.").replace(b"\nFrom here", b"\n>From here"), mail("Second.")
    box = b"From a Tue Feb 10\n" + one + b"\n\nFrom b Tue Feb 10\n" + two + b"\n\nFrom c Tue\n\nno header\n"
    first, second, told = load("a.mbox", box)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.source, second.source) == ("a.mbox#1", "a.mbox#2")
    assert first.text.endswith("From here on.")
    assert isinstance(told, Skipped)
    assert "message 3" in told.reason


@pytest.mark.parametrize(
    "data",
    [
        b"no mail\n",
        b"From: " + b"<" * 20_000 + b"\n\ntext",
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 1000,
        b"Date: Tue, 99 Foo 99999\nSubject: =?utf-8?b?////?=\n\ntext",
    ],
)
def test_a_hostile_message_gives_words_or_a_reason(data: bytes) -> None:
    assert load("a.eml", data)
    assert load("a.mbox", b"From x\n" + data)


# --- OpenDocument ---------------------------------------------------------------------------------

SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for name, long in {
        **{same: same for same in ("office", "text", "table", "presentation", "meta")},
        "draw": "drawing",
    }.items()
)
META = (
    f'<office:document-meta {SPACES} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
    "<dc:title>Handbook</dc:title><dc:creator>Ada</dc:creator></office:meta></office:document-meta>"
)


def odf(body: str, **more: str) -> bytes:
    content = f"<office:document-content {SPACES}><office:body>{body}</office:body></office:document-content>"
    entries = {name.replace("__", "/") + ".xml": text for name, text in more.items()}
    return zipped({"content.xml": content, "meta.xml": META, **entries})


def test_a_text_has_its_headings_lists_and_tables() -> None:
    made = document(
        "a.odt",
        odf(
            "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
            '<text:h text:outline-level="1">Dome</text:h><text:p>Opens<text:s/>at a_b_c &amp; <text:span>dusk'
            "</text:span>.</text:p><text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
            "<table:table><table:table-row><table:table-cell><text:p>Tool</text:p></table:table-cell>"
            "<table:table-cell><text:p>Qty</text:p></table:table-cell></table:table-row><table:table-row>"
            "<table:table-cell><text:p>Saw</text:p></table:table-cell><table:table-cell><text:p>3</text:p>"
            "</table:table-cell></table:table-row></table:table></office:text>"
        ),
    )
    assert made.text.startswith("# Dome\n\nOpens at a_b_c & dusk.\n\n- one\n\n")
    assert "| Saw | 3 |" in made.text
    assert "gone" not in made.text
    assert (made.metadata["title"], made.metadata["author"]) == ("Handbook", "Ada")


def test_sheets_are_rows_with_their_column_names_however_often_one_says_it_stands_there() -> None:
    cells = [
        "".join(f"<table:table-cell><text:p>{word}</text:p></table:table-cell>" for word in row)
        for row in (("Tool", "Qty"), ("Saw", "3"))
    ]
    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    rows = "".join(f"<table:table-row>{row}{empty}</table:table-row>" for row in cells)
    rows += f'<table:table-row table:number-rows-repeated="1048576">{empty}</table:table-row>'
    full = '<table:table-cell table:number-columns-repeated="99999999"><text:p>x</text:p></table:table-cell>'
    rows += f'<table:table-row table:number-rows-repeated="99999999">{full}</table:table-row>'
    made = document(
        "a.ods",
        odf(f'<office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet>'),
    )
    assert made.text.startswith("# S\n\nTool: Saw; Qty: 3\n\n")
    assert len(made.text) < 100_000


def test_a_presentation_is_a_page_a_slide() -> None:
    made = document(
        "a.odp",
        odf(
            "<office:presentation><draw:page><draw:frame presentation:class='title'><draw:text-box>"
            "<text:p>Dome</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box>"
            "<text:p>Opens at dusk.</text:p></draw:text-box></draw:frame></draw:page>"
            "<draw:page><text:p>Second.</text:p></draw:page>"
            "</office:presentation>"
        ),
    )
    assert made.text == "# Dome\n\nOpens at dusk.\n\n# Slide 2\n\nSecond."
    assert made.text[made.pages[1] :].startswith("# Slide 2")


def test_an_encrypted_damaged_or_endless_one_is_told() -> None:
    locked = odf("<office:text/>", **{"META-INF__manifest": "<m><encryption-data/></m>"})
    assert reason("a.odt", locked) == "encrypted"
    assert "content.xml is missing" in reason("a.odt", zipped({"a.xml": "<a/>"}))
    assert "damaged" in reason("a.ods", b"no archive")
    assert "nested too deeply" in reason("a.odt", odf("<text:list>" * 5000 + "</text:list>" * 5000))
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert "cannot be read as odt" in reason("a.odt", zipped({"content.xml": laughs}))


# --- subtitles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_subtitles_are_what_is_said_with_the_second_at_which_each_paragraph_begins(name: str) -> None:
    comma = "," if name == "a.srt" else "."
    cues = [
        ("00:00:01", "00:00:03", "<i>The dome</i>"),
        ("00:00:03", "00:00:05", "{\\an8}opens at dusk."),
        ("00:00:05", "00:00:06", "opens at dusk."),
        ("01:02:03", "01:02:05", "<v Ada>It closes at dawn."),
    ]
    text = "".join(
        f"{n}\n{start}{comma}000 --> {end}{comma}500 align:start\n{said}\n\n"
        for n, (start, end, said) in enumerate(cues, start=1)
    )
    made = document(name, f"WEBVTT - x\n\nNOTE remark\n\n{text}" if name == "a.vtt" else text)
    assert made.text == "The dome opens at dusk.\n\nAda: It closes at dawn."
    assert made.anchors == ((0, "t=1"), (25, "t=3723"))


def test_subtitles_without_times_are_told_and_long_ones_take_no_time() -> None:
    assert "no cue" in reason("a.srt", "words\n\nmore words")
    assert reason("a.srt", "1:" * 100_000)
    assert reason("a.vtt", "<" * 300_000)


def test_a_long_talk_becomes_paragraphs_at_the_ends_of_sentences() -> None:
    text = "".join(f"00:{n:02}.000 --> 00:{n + 1:02}.000\nSentence {n} of a talk.\n\n" for n in range(58))
    made = load_file(Path("a.vtt"), "a.vtt", f"WEBVTT\n\n{text}".encode(), LoaderSettings())[0]
    assert isinstance(made, Document)
    assert 2 <= made.text.count("\n\n") <= 4
    assert all(paragraph.endswith(".") for paragraph in made.text.split("\n\n"))
