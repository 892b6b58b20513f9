"""A line of formatted text as Markdown that a parser reads as exactly that text.

A character is escaped only where Markdown would take it for a mark: `shared_buffers` and `count(*)`
stay what they are, for whoever searches for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from string import whitespace
from typing import Literal

from rag.markdown import parser, visible

# What may be a mark somewhere. Where none of these stands, no parser needs to be asked.
_SUSPECT = re.compile(
    r"[*`\\]|(?<![^\W_])_|_(?![^\W_])|\][\[(:]|<[A-Za-z/!?]|&(?:#|\w{1,40};)"
    r"|^[^\S\n]*(?:[#>+=|~-]|\d{1,9}[.)])|[\s#]#\s*$",
    re.MULTILINE,
)
_MARKS = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|\Z|\n)|[*`\[\]]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#|\w{1,40};)|#"
)
_LINE_START = re.compile(r"^([^\S\n]*)([#>+=|~-]|\d{1,9}(?=[.)]))", re.MULTILINE)
_SPACES = re.compile(r"[\s\u200b\u2060\ufeff]+")
_HIDDEN = re.compile("[\u00ad\ufdd0\ufdd1]")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style. `address` is that of the page outside that it leads to."""

    text: str
    style: Literal["text", "code", "break"] = "text"
    strong: bool = False
    address: str = ""


def as_markdown(runs: Iterable[Run], before: str = "") -> str:
    """`before` is what makes the line a heading."""
    tidied = _tidy(runs)
    wanted = _words("".join(run.text for run in tidied))
    if not wanted:
        return ""
    raw = _written(tidied, escape=False)
    if _is_plain(tidied) or _reads_as(before + raw, wanted):
        return before + raw
    escaped = before + _written(tidied, escape=True)
    if _reads_as(escaped, wanted):
        return escaped
    return before + _written([replace(run, strong=False, address="") for run in tidied], escape=True)


def spaced(text: str) -> str:
    """One kind of space, and nothing invisible."""
    return _SPACES.sub(" ", _HIDDEN.sub("", text))


def _tidy(runs: Iterable[Run]) -> list[Run]:
    """Neighbours of one style made one, and no space at an end, twice, or at the inside of a mark."""
    found: list[Run] = []
    blank = True  # at the start of a line no space is needed
    for (style, strong, address), some in groupby(runs, key=lambda run: (run.style, run.strong, run.address)):
        if style == "break":
            found.append(Run("\n", "break"))
            blank = True
            continue
        text = spaced("".join(run.text for run in some))
        text = text.lstrip() if blank else text
        if not text:
            continue
        blank = text[-1] == " "
        found += _with_spaces_outside(Run(text, style, strong, address))
    while found and not found[-1].text.strip():
        found.pop()
    if found:
        found[-1] = replace(found[-1], text=found[-1].text.rstrip())
    return list(_merged(_with_spaces_inside(found)))


def _with_spaces_outside(run: Run) -> Iterator[Run]:
    core = run.text.strip()
    if run.text[:1] == " ":
        yield Run(" ")
    if core:
        yield replace(run, text=core)
        if run.text[-1] == " ":
            yield Run(" ")


def _with_spaces_inside(runs: Sequence[Run]) -> Iterator[Run]:
    """Two stretches of one style are one, with the space between them."""
    for at, run in enumerate(runs):
        if run == Run(" ") and 0 < at < len(runs) - 1:
            before, after = runs[at - 1], runs[at + 1]
            if (before.strong, before.address) == (after.strong, after.address):
                run = replace(run, strong=before.strong, address=before.address)
        yield run


def _merged(runs: Iterable[Run]) -> Iterator[Run]:
    for style, some in groupby(runs, key=lambda run: (run.style, run.strong, run.address)):
        if style[0] == "break":
            yield Run("\n", "break")
        else:
            yield Run("".join(run.text for run in some), *style)


def _is_plain(runs: Sequence[Run]) -> bool:
    """Nothing in it that Markdown could read otherwise."""
    return not any(
        run.strong or run.address or ("`" in run.text if run.style == "code" else _SUSPECT.search(run.text))
        for run in runs
    )


def _written(runs: Sequence[Run], escape: bool) -> str:
    parts = []
    for (strong, address), some in groupby(runs, key=lambda run: (run.strong, run.address)):
        inside = "".join(_piece(run, escape) for run in some)
        linked = f"[{inside}]({_target(address)})" if address else inside
        parts.append(f"**{linked}**" if strong else linked)
    text = "".join(parts)
    return _LINE_START.sub(_escaped_start, text) if escape else text


def _piece(run: Run, escape: bool) -> str:
    if run.style == "code":
        return _code(run.text)
    return _escaped(run.text) if escape else run.text


def _escaped(text: str) -> str:
    """Of the number signs only those at the end are marks: they would close a heading."""
    end = len(text.rstrip("#" + whitespace))
    return _MARKS.sub(lambda mark: mark[0] if mark[0] == "#" and mark.start() < end else f"\\{mark[0]}", text)


def fence_for(text: str, least: int = 3) -> str:
    """Backticks that no run of them in the text can close."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _code(text: str) -> str:
    fence = fence_for(text, least=1)
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{space}{text}{space}{fence}"


def _target(address: str) -> str:
    return f"<{address}>" if re.search(r"[()\s]", address) else address


def _escaped_start(start: re.Match[str]) -> str:
    return f"{start[1]}{start[2]}\\" if start[2].isdigit() else f"{start[1]}\\{start[2]}"


def _reads_as(markdown: str, wanted: str) -> bool:
    blocks = [token for token in parser().parse(markdown) if token.level == 0]
    single = [token.type for token in blocks] in (
        ["paragraph_open", "inline", "paragraph_close"],
        ["paragraph_open", "paragraph_close"],
        ["heading_open", "heading_close"],
    )
    return single and _words(visible(markdown)) == wanted


def _words(text: str) -> str:
    return " ".join(text.split())
