"""What a web page shows is what its Markdown shows, mark for mark; what belongs together stands together."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.loader_samples import document

from rag.loaders.html import read
from rag.markdown import visible

ANY = settings(deadline=None, max_examples=150)


def squeezed(text: str) -> str:
    return "".join(text.split())


# --- names and marks ------------------------------------------------------------------------------

TOKENS = st.sampled_from(
    [
        *("shared_buffers", "_", "__init__", "*", "~*", "count(*)", "**", "`", "``", "\\", "\\*", "<", "<b>"),
        *(
            "&amp;",
            "&",
            "[x]",
            "](y)",
            "![",
            "#",
            "# a",
            "- b",
            "1.",
            "1) c",
            ">",
            "=",
            "---",
            "|",
            "a|b",
            "~~~",
        ),
        *(
            "word",
            "Ångström",
            "/var/lib/my_app",
            "x_y_z",
            "!",
            "http://a.b/c_d",
            "_a_",
            "*a*",
            "(",
            ")",
            ":",
            "\u00a0",
        ),
    ]
)
LINES = st.lists(TOKENS, min_size=1, max_size=8).flatmap(
    lambda tokens: st.sampled_from(["", " "]).map(lambda space: space.join(tokens))
)
STYLES = st.sampled_from(
    ["{}", "<b>{}</b>", "<code>{}</code>", "<em>{}</em>", "<a href='http://x.y/z_(a)'>{}</a>"]
)
STYLED = st.lists(st.tuples(STYLES, LINES), min_size=1, max_size=5)
PLACES = st.sampled_from(
    [
        *(
            "<p>{}</p>",
            "<h2>{}</h2>",
            "<ul><li>{}<li>more</ul>",
            "<dl><dt>{}<dd>{}</dl>",
            "<blockquote>{}</blockquote>",
        ),
        *(
            "<table><tr><th>A<th>B<tr><td>{}<td>x</table>",
            "<p>one<br>{}</p>",
            "<ol><li><p>{}</p><p>{}</p></ol>",
        ),
    ]
)


@ANY
@given(place=PLACES, styled=STYLED)
def test_whatever_a_page_says_its_markdown_reads_as_exactly_that(
    place: str, styled: list[tuple[str, str]]
) -> None:
    inside = "".join(style.format(escape(line)) for style, line in styled)
    said = "".join(line for _, line in styled)
    shown = place.replace("{}", "@").replace("<li>", "").replace("<", "\n<")
    expected = "".join(part.split(">", 1)[-1] for part in shown.split("\n")).replace("@", said)
    page = read(place.replace("{}", inside))
    assert squeezed(visible(page.text)) == squeezed(expected)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>set shared_buffers, ~* and count(*)</p>", "set shared_buffers, ~* and count(*)"),
        ("<p>__init__ and *all*</p>", "\\_\\_init\\_\\_ and \\*all\\*"),
        ("<p>a <code>x_y*</code> b</p>", "a `x_y*` b"),
        ("<p>a&nbsp;b\n c</p>", "a b c"),
        ("<p>2<sup>32</sup> and H<sub>2</sub>O</p>", "2³² and H₂O"),
        ("<h2>21.1. The <code>pg_hba.conf</code> File</h2>", "## 21.1. The `pg_hba.conf` File"),
        ("<p>1. not a list</p>", "1\\. not a list"),
    ],
)
def test_a_character_is_escaped_only_where_it_would_be_a_mark(page: str, text: str) -> None:
    assert read(page).text == text


def test_code_keeps_its_lines_and_its_fence_is_longer_than_those_in_it() -> None:
    page = read("<pre>a\n\n  ```\n  b &lt;c&gt;\n</pre>")
    assert page.text == "````\na\n\n  ```\n  b <c>\n````"


# --- definitions, boxes, tables -------------------------------------------------------------------


def test_a_term_is_the_head_of_its_definition() -> None:
    page = "<dl><dt><code>a_b</code> (integer)<dd><p>One.</p><p>Two.</p><dt>c<dd>Three.</dl>"
    assert read(page).text == "- **`a_b` (integer)**\n\n  One.\n\n  Two.\n\n- **c**\n\n  Three."


def test_the_number_of_a_footnote_is_no_term() -> None:
    notes = "<dt id=f9>9<dd><p>Now and then.</p><p>Not always.</p><dt>10<dd>No."
    page = f"<dl class='footnote brackets'>{notes}</dl>"
    assert read(page).text == "- 9 Now and then.\n\n  Not always.\n\n- 10 No."
    assert read(page).anchors == ((0, "f9"),)


def test_terms_of_one_definition_stay_together() -> None:
    page = "<dl><div><dt>-a</dt><dt>--all</dt><dd>All of them.</dd></div></dl>"
    assert read(page).text == "- **-a**\n  **--all**\n\n  All of them."


def test_definitions_hold_lists_and_code_and_other_definitions() -> None:
    page = "<dl><dt>run<dd>Runs:<ul><li>x<li>y</ul><pre>go\nnow</pre><dl><dt>-q<dd>Quietly.</dl></dl>"
    assert read(page).text == (
        "- **run**\n\n  Runs:\n  - x\n  - y\n\n  ```\n  go\n  now\n  ```\n\n  - **-q**\n\n    Quietly."
    )


def test_what_strays_between_terms_is_not_lost() -> None:
    page = read("<dl><dt>Archive-Name:</dt> zsh/faq <dt>Posted:</dt> monthly</dl>")
    assert visible(page.text).split() == ["Archive-Name:", "zsh/faq", "Posted:", "monthly"]


@pytest.mark.parametrize(
    "box",
    [
        "<div class='note'><h3 class='title'>Note</h3><p>Mind it.</p></div>",
        "<div class='admonition tip'><p class='admonition-title'>Note</p><p>Mind it.</p></div>",
        "<div class='admonitionblock note'><table><tr><td class=icon><div class=title>Note</div></td>"
        "<td class=content>Mind it.</td></tr></table></div>",
    ],
)
def test_the_name_of_a_box_is_no_heading(box: str) -> None:
    assert read(f"<h1>Page</h1>{box}").text == "# Page\n\n**Note**\n\nMind it."


def test_a_table_that_only_places_things_is_none() -> None:
    assert read("<table><tr><td><p>One.</p></td></tr><tr><td><pre>two</pre></td></tr></table>").text == (
        "One.\n\n```\ntwo\n```"
    )


def test_a_first_row_of_data_is_no_header() -> None:
    page = "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>"
    assert read(page).text == "|  |  |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"


def test_a_bar_in_a_cell_does_not_make_two_of_it() -> None:
    page = read("<table><tr><th>Op<th>Is<tr><td><code>a|b</code><td>or</table>")
    assert page.text.endswith("| `a\\|b` | or |")
    assert "a|b" in visible(page.text)


# --- anchors --------------------------------------------------------------------------------------


def test_each_place_that_an_address_can_point_at_is_known() -> None:
    page = read(
        "<section id=top><h1>A</h1><p>x</p></section><h2><a name=b></a>B</h2><dl><dt id=c>t<dd>d</dl>"
    )
    lines = {name: page.text[at:].split("\n")[0] for at, name in page.anchors}
    assert lines == {"top": "# A", "b": "## B", "c": "- **t**"}


# --- furniture ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "furniture",
    [
        "<div><p>Next: <a href=b>B</a>, Up: <a href=t>Top</a> &nbsp; [<a href=c>Contents</a>]</p></div>",
        "<table><tr><td><a href=p>Prev</a></td><td><a href=u>Up</a><td><a href=n>Next</a></table>",
        "<p><a href=/>Home</a> &gt; <a href=/d>Docs</a> &gt; This page</p>",
        "<div class=toc><dl><dt><a href=#a>1. A</a><dt><a href=#b>2. B</a></dl></div>",
        "<ul>" + "".join(f"<li><a href=#{n}>entry {n}</a>" for n in range(12)) + "</ul>",
        "<div class=foot>Last updated on 2024-03-01 by nobody</div>",
        "<header><a href=/>Site</a> and its motto</header>",
        "<aside>See also</aside>",
    ],
)
def test_furniture_is_left_out_and_counted(furniture: str) -> None:
    found = document("a.html", f"<body><h1>A</h1><p>Kept.</p>{furniture}</body>")
    assert found.text == "# A\n\nKept."
    assert found.furniture > 0


@pytest.mark.parametrize(
    "content",
    [
        "<p>These are known:</p><ul>"
        + "".join(f"<li><a href=#{n}>kind {n}</a>" for n in range(12))
        + "</ul>",
        "<p>The <a href=n>next</a> chapter is about <a href=u>ups</a>.</p>",
        "<aside class=footnote><p>But see below.</p></aside>",
        "<p>a <code>next</code> and a <a href=p><code>prev</code></a></p>",
        "<p>Copyright is a right. It was last updated in 1909.</p><p>It ends.</p>",
    ],
)
def test_what_only_looks_like_furniture_stays(content: str) -> None:
    found = document("a.html", f"<body><h1>A</h1>{content}</body>")
    assert found.furniture == 0


def test_a_page_of_nothing_else_is_named() -> None:
    from support.loader_samples import reason

    links = "".join(f"<li><a href=#{n}>entry {n}</a>" for n in range(30))
    assert reason("genindex.html", f"<h1>Index</h1><ul>{links}</ul>").startswith(
        "nothing but furniture: 30 lines"
    )
