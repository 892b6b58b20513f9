"""Markdown and HTML."""

from __future__ import annotations

import pytest
from support.loader_samples import document, reason

# --- Markdown


def test_front_matter_becomes_metadata_and_leaves_the_text() -> None:
    found = document("a.md", "---\ntitle: Vela\nrooms: 3\n---\n\n# Cooldown\n")
    assert found.text == "# Cooldown\n"
    assert found.metadata == {"title": "Vela", "rooms": 3, "format": "md"}


def test_front_matter_keeps_lists_and_writes_dates_as_iso() -> None:
    found = document("a.md", "---\ntags: [cold, safe]\nday: 2024-05-01\nat: 2024-05-01 10:30:00\n---\ntext")
    assert found.metadata["tags"] == ("cold", "safe")
    assert found.metadata["day"] == "2024-05-01"
    assert found.metadata["at"] == "2024-05-01T10:30:00"


def test_front_matter_nests_as_json_and_drops_nothingness() -> None:
    found = document("a.md", "---\nowner: {name: Ada, age: 36}\nnone: ~\nempty: []\n---\ntext")
    assert found.metadata == {"owner": '{"name": "Ada", "age": 36}', "format": "md"}


def test_front_matter_cannot_take_the_names_of_our_own_fields() -> None:
    found = document("a.md", "---\nsource: web\npage: 3\nformat: essay\n---\ntext")
    assert found.metadata == {"meta_source": "web", "meta_page": 3, "meta_format": "essay", "format": "md"}


def test_numbers_that_no_store_can_hold_become_text() -> None:
    found = document("a.md", "---\nhuge: 99999999999999999999\nnan: .nan\n---\ntext")
    assert (found.metadata["huge"], found.metadata["nan"]) == ("99999999999999999999", "nan")


@pytest.mark.parametrize(
    "header",
    ["a: [unclosed", "just a line", "day: 2024-13-45", "b: !!bool maybe", "{{ template }}", "- a\n- b"],
)
def test_what_is_no_front_matter_stays_in_the_text(header: str) -> None:
    text = f"---\n{header}\n---\nbody"
    assert document("a.md", text).text == text


def test_front_matter_with_aliases_is_not_expanded() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert document("a.md", f"---\n{bomb}---\nbody").text.startswith("---")


def test_the_first_heading_is_the_title_where_front_matter_names_none() -> None:
    assert document("a.md", "---\nx: 1\n---\n\n# Warming up\n").metadata["title"] == "Warming up"


def test_an_underlined_heading_is_a_title() -> None:
    assert document("a.md", "Warming up\n==========\n").metadata["title"] == "Warming up"


def test_a_comment_in_code_is_no_title() -> None:
    assert document("a.md", "```\n# comment\n```\n\n# Title #\n").metadata["title"] == "Title"


def test_a_page_without_heading_has_no_title() -> None:
    assert "title" not in document("a.md", "## Only a second level\n").metadata


def test_front_matter_without_a_text_is_empty() -> None:
    assert reason("a.md", "---\ntitle: T\n---\n") == "empty"


# --- HTML


def test_a_page_becomes_markdown_with_headings_lists_and_code() -> None:
    page = "<h1>One</h1><p>a <b>b</b></p><h2>Two</h2><ul><li>x<li>y</ul><pre>z\n\n\n\nz</pre>"
    assert document("a.html", page).text == "# One\n\na **b**\n\n## Two\n\n- x\n- y\n\n```\nz\n\n\n\nz\n```"


def test_a_table_stays_a_table() -> None:
    page = "<table><tr><th>Room</th><th>Seats</th></tr><tr><td>Blue</td><td>40</td></tr></table>"
    assert document("a.html", page).text == "| Room | Seats |\n| --- | --- |\n| Blue | 40 |"


@pytest.mark.parametrize("tag", ["script", "style", "nav", "footer", "aside", "noscript", "template"])
def test_what_is_not_content_is_dropped(tag: str) -> None:
    assert document("a.html", f"<p>kept</p><{tag}>dropped</{tag}>").text == "kept"


def test_main_is_preferred_to_the_page_around_it() -> None:
    assert document("a.html", "<div>menu</div><main><p>kept</p></main>").text == "kept"


def test_an_empty_main_hides_nothing() -> None:
    assert document("a.html", "<main></main><p>kept</p>").text == "kept"


def test_one_article_is_the_content() -> None:
    assert document("a.html", "<div>menu</div><article>kept</article>").text == "kept"


def test_of_several_articles_none_is_lost() -> None:
    assert document("a.html", "<article>one</article><article>two</article>").text.split() == ["one", "two"]


def test_the_title_comes_from_the_head() -> None:
    assert document("a.html", "<title> The\n page </title><h1>Else</h1>").metadata["title"] == "The page"


def test_the_title_comes_from_the_heading_where_the_head_has_none() -> None:
    assert document("a.html", "<h1>Heading</h1><p>x</p>").metadata["title"] == "Heading"


def test_names_with_underscores_are_not_escaped() -> None:
    assert document("a.html", "<p>pg_catalog.pg_enum * 2</p>").text == "pg_catalog.pg_enum * 2"


def test_only_links_that_lead_outside_keep_their_address() -> None:
    page = '<p><a href="/in">in</a> <a href="https://a.b/c">out</a> <a href="https://d.e">https://d.e</a></p>'
    assert document("a.html", page).text == "in [out](https://a.b/c) https://d.e"


def test_of_a_picture_the_words_are_kept() -> None:
    assert (
        document("a.html", '<p>see <img alt="the dome" src="data:image/png;base64,AAAA"></p>').text
        == "see the dome"
    )


def test_a_declared_charset_is_believed() -> None:
    page = '<meta charset="iso-8859-2"><p>Łódź</p>'
    assert document("a.html", page.encode("iso-8859-2")).text == "Łódź"


def test_xhtml_is_read_without_its_declaration() -> None:
    page = '<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>x</body></html>'
    assert document("a.xhtml", page).text == "x"


@pytest.mark.parametrize("text", ["page.html", "https://example.org/page"])
def test_a_page_that_looks_like_an_address_is_still_a_page(text: str) -> None:
    assert document("a.html", text).text == text


def test_a_page_of_scripts_is_empty() -> None:
    assert reason("a.html", "<script>1</script>") == "empty"


def test_a_page_nested_without_end_is_skipped() -> None:
    assert reason("a.html", "<div>" * 5000 + "deep") == "nested too deeply to be read"


def test_headings_of_markdown_have_the_anchors_that_github_gives_them() -> None:
    found = document("a.md", 'x\n\n# The `a_b` File!\n\n<a id="mine"></a>\n\n## Use\n\n## Use\n')
    assert [(found.text[at:].split("\n")[0], name) for at, name in found.anchors] == [
        ("# The `a_b` File!", "the-a_b-file"),
        ('<a id="mine"></a>', "mine"),
        ("## Use", "use"),
        ("## Use", "use-1"),
    ]
