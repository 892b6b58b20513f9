"""reStructuredText: read by docutils, shown as a page, and that as Markdown.

What only Sphinx knows is read as what it looks like: a directive with an argument describes that argument,
as `.. option:: -x` does, and a role is its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rag.loaders.html import read
from rag.loaders.raw import RawFile
from rag.types import Document

_DIRECTIVE = re.compile(
    r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([A-Za-z][\w:.+-]{0,80}?)[ \t]?::(?:\s|$)", re.MULTILINE
)
_ROLE = re.compile(r":([A-Za-z][\w:.+-]{0,80}):`|`:([A-Za-z][\w:.+-]{0,80}):")
# What docutils could not read it tells at the place, with the text.
_MESSAGE = re.compile(
    r"<aside class=\"system-message.*?</aside>|<section class=\"system-messages[^>]*>\s*<h\d>.*?</h\d>",
    re.DOTALL,
)
_QUOTED = re.compile(r"<pre.*?</pre>", re.DOTALL)
_UNRESOLVED = re.compile(r"<span class=\"problematic\"[^>]*>(.*?)</span>", re.DOTALL)
# Of a text with a longer one docutils reads nothing: it is taken as it stands.
_LONGEST_LINE = 10_000
_SETTINGS = {
    "_disable_config": True,
    "doctitle_xform": False,
    "file_insertion_enabled": False,  # a document must not read other files
    "halt_level": 5,
    "initial_header_level": 1,
    "line_length_limit": _LONGEST_LINE,
    "math_output": "LaTeX",
    "raw_enabled": False,
    "report_level": 3,
    "section_self_link": False,
    "smart_quotes": False,
    "syntax_highlight": "none",
    "toc_backlinks": False,
    "warning_stream": False,
}


def load(file: RawFile) -> Iterable[Document]:
    text = file.text()
    if max(map(len, text.split("\n"))) > _LONGEST_LINE:
        yield file.document(text)
        return
    page = read(_as_html(text))
    yield file.document(page.text, {"title": page.title}, markup="markdown", anchors=page.anchors)


def _as_html(text: str) -> str:
    from docutils.core import publish_parts

    from rag.loaders.rst_sphinx import know

    know(_DIRECTIVE.findall(text), [name for names in _ROLE.findall(text) for name in names if name])
    parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    whole = _MESSAGE.sub(lambda message: "".join(_QUOTED.findall(message[0])), parts["html_body"])
    return f"<body>{_UNRESOLVED.sub(_words, whole)}</body>"


def _words(unresolved: re.Match[str]) -> str:
    """A link that leads nowhere is its words."""
    return re.sub(r" ?&lt;[^&]*&gt;$", "", unresolved[1].strip("`_|").removesuffix("`"))
