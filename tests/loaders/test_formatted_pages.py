"""A manual page that stands in one `pre`, as many sites show it, has its structure back."""

from __future__ import annotations

from support.loader_samples import document

from rag.loaders.formatted import is_page
from rag.loaders.html import read
from rag.markdown import titles, visible

PAGE = """\
DOME(1)                                                        DOME(1)

NAME
       dome - open and close domes

DESCRIPTION
       The  dome  command opens and closes domes.  It is of no use for tele-
       scopes, which have a telescope command of  their  own  that  is  found
       elsewhere.

OPTIONS
       -q

       --quiet
              Say  little,  and  nothing  at  all where that is what the user
              wants.

       -w N   Close when the wind is stronger than N  metres  a  second,  and
              open again when it is not.

       -x     Do nothing.

   Exit status
       o      Zero when all domes did what they were told to do, without any
              complaint.

       o      Else one.

SEE ALSO
       telescope(1)
"""


def test_sections_are_headings_and_options_definitions() -> None:
    text = read(f"<pre>{PAGE}</pre>").text
    assert [(level, title) for _, level, title in titles(text)] == [
        (1, "NAME"),
        (1, "DESCRIPTION"),
        (1, "OPTIONS"),
        (2, "Exit status"),
        (1, "SEE ALSO"),
    ]
    assert "- **-q**\n  **--quiet**\n\n  Say little, and nothing" in text
    assert "- **-w N**\n\n  Close when the wind is stronger than N metres a second, and\n  open again" in text
    assert "- **-x**\n\n  Do nothing." in text
    assert (
        "- Zero when all domes did what they were told to do, without any\n  complaint.\n\n- Else one."
        in text
    )


def test_filled_lines_are_paragraphs_and_broken_words_whole() -> None:
    text = read(f"<pre>{PAGE}</pre>").text
    assert "\n\nThe dome command opens and closes domes. It is of no use for tele-\nscopes," in text
    whole = read(f"<p>telescopes</p><pre>{PAGE.replace('telescope(1)', 'telescopes(1)')}</pre>").text
    assert "It is of no use for telescopes,\nwhich have a telescope command" in whole


def test_a_text_file_may_hold_one_too() -> None:
    found = document("dome.txt", PAGE)
    assert found.markup == "markdown"
    assert found.metadata["title"] == "dome(1)"
    assert "- **-x**\n\n  Do nothing." in found.text
    assert document("names.txt", "NAME\nAda\nDESCRIPTION\nTall\n").markup == "text"


def test_no_word_is_lost() -> None:
    told = visible(read(f"<pre>{PAGE}</pre>").text).split()
    assert [word for word in PAGE.split() if word not in told and word != "o"] == []


def test_other_code_stays_code() -> None:
    for code in ("NAME = 1\nprint(NAME)", "SELECT\n       NAME\nFROM x", "NAME\nname\nSYNOPSIS\nnone"):
        assert not is_page(code)
        assert read(f"<pre>{code}</pre>").text == f"```\n{code}\n```"
