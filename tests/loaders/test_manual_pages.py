"""Manual pages: sections, options as definitions, code, in both of roff's languages for them."""

from __future__ import annotations

import pytest
from support.loader_samples import document

from rag.loaders.man import is_page
from rag.markdown import titles, visible

MAN = r"""'\" t
.\" A remark that nobody sees.
.ie \n(.g .ds Aq \(aq
.el       .ds Aq '
.de Sp
.if t .sp .5v
..
.    ds #H 0
'br\}
.if t .\}
.TH DOME 1 "May 2024" "Kelvane" "User Commands"
.SH NAME
dome \- open and \fBclose_all\fR domes
.SH OPTIONS
.TP
.BR \-q ", " \-\-quiet
Say little, as \fI*\fP does.
.TP
.B \-w
.TQ
.B \-\-wind
Close when it blows:
.nf
dome --wind=16
  dome -q
.fi
.IP \(bu 2
First.
.IP \(bu 2
Second.
.PP
\fB\-\-all\fR
.RS 4
All of them.
.RE
.SS Exit status
.IP 0
It went well.
.if t It is printed.
.if n It\*(Aqs shown.
"""
MDOC = r""".Dd May 1, 2024
.Dt DOME 1
.Os
.Sh NAME
.Nm dome
.Nd open domes
.Sh SYNOPSIS
.Nm
.Op Fl q
.Op Fl w Ar speed
.Sh DESCRIPTION
.Nm
opens; see
.Xr shutter 8 .
.Bl -tag -width Ds
.It Fl q , Fl Fl quiet
Say little
.Pq or nothing .
.It Fl w Xo
.Ar speed
.Xc
Close at
.Ar speed .
.El
.Bd -literal
dome -w 16
.Ed
"""


def test_tagged_paragraphs_are_definitions() -> None:
    text = document("dome.1", MAN).text
    assert "- **`-q`, `--quiet`**\n\n  Say little, as * does.\n" in text
    assert (
        "- **`-w`**\n  **`--wind`**\n\n  Close when it blows:\n\n  ```\n  dome --wind=16\n    dome -q\n  ```"
        in text
    )
    assert "- **`--all`**\n\n  All of them." in text
    assert "- First.\n- Second." in text


def test_sections_are_headings_and_the_page_has_its_name() -> None:
    found = document("dome.1", MAN)
    assert found.metadata["title"] == "dome(1)"
    assert [(level, title) for _, level, title in titles(found.text)] == [
        (1, "NAME"),
        (1, "OPTIONS"),
        (2, "Exit status"),
    ]


def test_what_a_terminal_shows_is_what_is_read() -> None:
    text = visible(document("dome.1", MAN).text)
    assert "dome - open and close_all domes" in text
    assert "It's shown." in text
    assert "printed" not in text
    assert "remark" not in text


def test_mdoc_says_what_words_are() -> None:
    found = document("dome.1", MDOC)
    assert found.metadata["title"] == "dome(1)"
    assert "`dome` [`-q`] [`-w` speed]" in found.text
    assert "`dome` opens; see shutter(8)." in found.text
    assert "- **`-q`, `--quiet`**\n\n  Say little (or nothing)." in found.text
    assert "- **`-w` speed**\n\n  Close at speed." in found.text
    assert "```\ndome -w 16\n```" in found.text


@pytest.mark.parametrize("name", ["dome.1", "dome.3pm", "dome", "dome.1ssl"])
def test_a_manual_page_is_known_by_its_first_lines(name: str) -> None:
    assert document(name, MAN).markup == "markdown"


@pytest.mark.parametrize(
    "text", ["app started\n.TH is here\n", ".hidden\nfile\n", ".\n", "'quoted'\n.TH\n", ""]
)
def test_other_texts_are_none(text: str) -> None:
    assert not is_page(text)


@pytest.mark.parametrize(
    "hostile",
    [
        ".TP\n",
        ".RS\n",
        ".IP \\(bu\n",
        ".if n \\{\n",
        ".de x\n",
        "\\h'",
        "\\fB",
        ".Bl -tag\n",
        '.B "',
        ".It\n",
    ],
)
@pytest.mark.parametrize("head", [".TH A 1\n", ".Dd May\n"])
def test_a_hostile_page_ends(head: str, hostile: str) -> None:
    document("a.1", f"{head}.SH NAME\nwords\n{hostile * 300}\nends\n")
