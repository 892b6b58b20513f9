"""The headings of a Markdown text, and the path of them that stands above an offset."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)([ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
# What a line of dashes under it does not make a heading: rows, quotations, list items, code.
_NO_TITLE = re.compile(r" {0,3}(\||>|[-+*]( |$)|\d+[.)] |`{3}|~{3})| {4}|\t")


@dataclass(frozen=True, slots=True)
class Outline:
    """Where each heading starts, and the path down to it (itself included)."""

    offsets: tuple[int, ...]
    paths: tuple[tuple[str, ...], ...]

    def path_at(self, offset: int) -> tuple[str, ...]:
        found = bisect_right(self.offsets, offset)
        return self.paths[found - 1] if found else ()


def outline(text: str) -> Outline:
    offsets: list[int] = []
    paths: list[tuple[str, ...]] = []
    open_headings: list[tuple[int, str]] = []
    for offset, level, title in _headings(text):
        open_headings = [h for h in open_headings if h[0] < level] + [(level, title)]
        offsets.append(offset)
        paths.append(tuple(title for _, title in open_headings))
    return Outline(tuple(offsets), tuple(paths))


def is_only_headings(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_ATX.match(line.rstrip()) for line in lines)


def _headings(text: str) -> list[tuple[int, int, str]]:
    """(offset, level, title) of each heading outside of code fences."""
    found: list[tuple[int, int, str]] = []
    fence, at, previous = "", 0, (0, "")
    for line in text.splitlines(keepends=True):
        bare = line.rstrip()
        mark = _FENCE.match(bare)
        if fence:
            closes = mark and mark[1].startswith(fence) and not mark[2]
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        elif (atx := _ATX.match(bare)) and atx[2]:
            found.append((at, len(atx[1]), _plain(atx[2])))
            bare = ""
        elif (setext := _SETEXT.match(bare)) and previous[1] and not _NO_TITLE.match(previous[1]):
            found.append((previous[0], 1 if setext[1][0] == "=" else 2, _plain(previous[1].strip())))
            bare = ""
        previous = (at, bare)
        at += len(line)
    return found


def _plain(title: str) -> str:
    """Without the marks of emphasis, code and links."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[*_`]{1,3}(\S.*?\S|\S)[*_`]{1,3}", r"\1", title).strip()
