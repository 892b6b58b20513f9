"""The headings of a Markdown text, and the path of them that stands above an offset."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")


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


def _headings(text: str) -> list[tuple[int, int, str]]:
    """(offset, level, title) of each heading outside of code fences."""
    found: list[tuple[int, int, str]] = []
    fence, at, previous = "", 0, (0, "")
    for line in text.splitlines(keepends=True):
        bare = line.rstrip()
        if mark := _FENCE.match(bare):
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        elif not fence:
            if (atx := _ATX.match(bare)) and atx[2]:
                found.append((at, len(atx[1]), _plain(atx[2])))
                bare = ""
            elif (
                (setext := _SETEXT.match(bare))
                and previous[1]
                and not previous[1].startswith(("|", "-", ">"))
            ):
                found.append((previous[0], 1 if setext[1][0] == "=" else 2, _plain(previous[1])))
                bare = ""
        previous = (at, bare.strip())
        at += len(line)
    return found


def _plain(title: str) -> str:
    """Without the marks of emphasis, code and links."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[*_`]{1,3}(\S.*?\S|\S)[*_`]{1,3}", r"\1", title).strip()
