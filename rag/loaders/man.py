"""Manual pages, man(7) and mdoc(7), as a page: sections as headings, tagged paragraphs as definitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile

from rag.loaders.html import read
from rag.loaders.raw import RawFile
from rag.loaders.roff import arguments, as_html, lines
from rag.types import Document

_NAMES_ITSELF = re.compile(r"\.[ \t]*(TH|Dd)[ \t]")
_MACRO = re.compile(r"[.'][ \t]*([A-Za-z0-9]{1,3})(?![A-Za-z0-9])[ \t]*(.*)\Z", re.DOTALL)
_BULLET = re.compile(r"(?:[•∗○*o+-]|\(?(\d{1,3})[.)])\Z")
_MARKED = re.compile(r"(?:•|(\d{1,3})\.)\s+(?=\S)")
_FONTS = {"B": "B", "I": "R", "R": "R", "SM": "R", "SB": "B", "C": "CW"}
_MIXED = {"BR": "BR", "RB": "RB", "BI": "BR", "IB": "RB", "IR": "RR", "RI": "RR"}
_PARAGRAPHS = frozenset(("PP", "LP", "P", "HP"))
_BREAKS = frozenset(("br", "sp", "Sp", "ti"))
_CODE = {"nf": True, "EX": True, "Vb": True, "fi": False, "EE": False, "Ve": False}
_MOST_SEARCHED = 20_000
_LONGEST_TERM = 300
_ENDS = ".:;,!?"


def is_page(text: str) -> bool:
    return bool(_kind(text))


def _kind(text: str) -> str:
    """The macro by which a manual page names itself; nothing but macros stands above it."""
    if text.lstrip()[:1] not in (".", "'"):
        return ""
    for line in lines(text[:_MOST_SEARCHED]):
        if found := _NAMES_ITSELF.match(line):
            return found[1]
        if line.strip() and line[0] not in ".'":
            break
    return ""


def load(file: RawFile) -> Iterable[Document]:
    from rag.loaders.mdoc import Mdoc

    text = file.text()
    reader = Mdoc() if _kind(text) == "Dd" else Man()
    for line in dropwhile(lambda line: not _NAMES_ITSELF.match(line), lines(text)):
        reader.take(line)
    page = read(reader.page.html())
    yield file.document(page.text, {"title": reader.title or None}, markup="markdown")


@dataclass(slots=True)
class Level:
    """A list that may be open at one indent: its tag, and that of the entry in it."""

    list: str = ""
    entry: str = ""


@dataclass(slots=True)
class Page:
    """HTML that grows: paragraphs, lists within lists, code."""

    made: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    code: list[str] | None = None
    levels: list[Level] = field(default_factory=lambda: [Level()])

    def html(self) -> str:
        while len(self.levels) > 1:
            self.pop()
        self.end_list()
        return f"<body>{''.join(self.made)}</body>"

    def say(self, html: str) -> None:
        (self.words if self.code is None else self.code).append(html)

    def flush(self) -> None:
        if self.code is not None:
            lines, self.code = self.code, None
            if any(line.strip() for line in lines):
                self.made.append("<pre>" + "\n".join(lines) + "</pre>")
            return
        text = " ".join(self.words).strip()
        self.words = []
        marked = _MARKED.match(text)
        if marked:
            tag = f'<ol start="{marked[1]}">' if marked[1] else "<ul>"
            self.made.append(f"{tag}<li>{text[marked.end() :]}</li></{tag[1:3]}>")
        elif text:
            self.made.append(f"<p>{text}</p>")

    def heading(self, level: int, html: str) -> None:
        while len(self.levels) > 1:
            self.pop()
        self.end_list()
        self.made.append(f"<h{level}>{html}</h{level}>")

    def set_code(self, on: bool) -> None:
        if on != (self.code is not None):
            self.flush()
            self.code = [] if on else None

    def entry(self, list_: str, entry: str) -> None:
        """A further entry of the list that is open, if it is one of this kind."""
        self.flush()
        level = self.levels[-1]
        if level.list != list_:
            self.end_list()
            self.made.append(f"<{list_}>")
            level.list = list_
        self.end_entry()
        self.made.append(f"<{entry}>")
        level.entry = entry

    def end_entry(self) -> None:
        self.flush()
        level = self.levels[-1]
        if level.entry:
            self.made.append(f"</{level.entry}>")
            level.entry = ""

    def term(self, html: str) -> None:
        """A term, or a further one, and the definition that begins after it."""
        self.entry("dl", "dt")
        self.made.append(html)
        self.entry("dl", "dd")

    def end_list(self) -> None:
        self.end_entry()
        level = self.levels[-1]
        if level.list:
            self.made.append(f"</{level.list[:2]}>")
            level.list = ""

    def push(self) -> None:
        self.flush()
        self.levels.append(Level())

    def pop(self) -> None:
        self.end_list()
        if len(self.levels) > 1:
            self.levels.pop()


class Man:
    """The macros of man(7), and those of Pod that stand for them."""

    def __init__(self) -> None:
        self.page = Page()
        self.title = ""
        self._wants = ""  # a macro that takes the next line
        self._font = ""

    def take(self, line: str) -> None:
        macro = _MACRO.match(line) if line[:1] in (".", "'") else None
        if macro is not None:
            self._macro(macro[1], macro[2])
        elif self.page.code is not None:
            self._text(line)
        elif not line.strip():
            self._text_of_macro("")
            self.page.flush()
        else:
            self._text(line)

    def _text(self, line: str) -> None:
        self._text_of_macro(as_html(line if self.page.code is not None else line.strip()))

    def _text_of_macro(self, html: str) -> None:
        wants, self._wants = self._wants, ""
        if wants == "TP":
            self.page.term(html)
        elif wants in ("SH", "SS"):
            self.page.heading(1 if wants == "SH" else 2, html)
        elif html or self.page.code is not None:
            self.page.say(html)

    def _macro(self, name: str, rest: str) -> None:
        given = arguments(rest)
        if name == "TH":
            self.title = _named(given)
        elif name in ("SH", "SS"):
            self._wants = name
            if given:
                self._text_of_macro(as_html(" ".join(given)))
        elif name in _PARAGRAPHS:
            self.page.end_list()
        elif name in ("TP", "TQ"):
            self._wants = "TP"
        elif name == "IP":
            self._indented(given)
        elif name == "RS":
            self._set_in()
        elif name == "RE":
            self.page.pop()
        elif name in _BREAKS:
            self._break(name)
        elif name in _CODE:
            self.page.set_code(_CODE[name])
        elif name in _FONTS or name in _MIXED:
            self._in_font(name, given)
        elif name in ("UR", "MT", "SY", "OP"):
            self._text_of_macro(as_html(_optional(name, given)))

    def _set_in(self) -> None:
        """What DocBook writes for a definition: its term stands above, not as a tagged paragraph."""
        term = " ".join(self.page.words).strip()
        if self.page.code is None and term and len(term) <= _LONGEST_TERM and term[-1] not in _ENDS:
            self.page.words = []
            self.page.term(term)
        self.page.push()

    def _in_font(self, name: str, given: Sequence[str]) -> None:
        if not given:
            return
        if name in _FONTS:
            self._text_of_macro(as_html(f"\\f[{_FONTS[name]}]{' '.join(given)}\\f[R]"))
            return
        fonts = _MIXED[name]
        parts = (f"\\f[{fonts[at % 2]}]{part}" for at, part in enumerate(given))
        self._text_of_macro(as_html("".join(parts) + "\\f[R]"))

    def _break(self, name: str) -> None:
        if self.page.code is not None:
            if name in ("sp", "Sp"):
                self.page.say("")
        elif name == "br" and self.page.words:
            self.page.say("<br>")
        else:
            self.page.flush()

    def _indented(self, given: Sequence[str]) -> None:
        tag = as_html(given[0]) if given else ""
        bullet = _BULLET.match(tag.strip()) if tag.strip() else None
        if bullet:
            self.page.entry("ol" if bullet[1] else "ul", "li")
        elif tag.strip():
            self.page.term(tag)
        else:
            self.page.flush()


def _named(given: Sequence[str]) -> str:
    """ls(1)"""
    name, section = [*given, "", ""][:2]
    return f"{name.lower() if name.isupper() else name}({section})" if name and section else name


def _optional(name: str, given: Sequence[str]) -> str:
    words = " ".join(given)
    return {"OP": f"[{words}]", "SY": f"\\f[B]{words}\\f[R]"}.get(name, words)
