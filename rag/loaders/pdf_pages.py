"""The pages of a PDF without what every page repeats: running heads, page numbers, dotted contents, an index.

What is left out is returned, so that it can be counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LEADERS = re.compile(r".*(?:\. ?){5,} ?\S{1,8}$")
_LISTED = re.compile(r".*\D\d{1,4}(?:, ?\d{1,4})*$")
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"[ivxlc]+$")
_BROKEN = re.compile(r"(\w+)-\n(\w+)")
_LEAST_PAGES = 3
_LEAST_LEADERS = 4
# Of a page of an alphabetical index nearly every line ends in numbers of pages.
_LEAST_LISTED = 20
_MOSTLY = 0.8
# Heads may have two lines.
_DEEP = 2


@dataclass(frozen=True, slots=True)
class Pages:
    texts: tuple[str, ...]
    furniture: tuple[str, ...] = ()


def without_furniture(pages: Sequence[str]) -> Pages:
    lines = [page.replace("\r\n", "\n").split("\n") for page in pages]
    left_out: list[str] = []
    for _ in range(_DEEP):
        for edge in (0, -1):
            left_out += _take_edges(lines, edge)
    left_out += _take_contents(lines)
    texts = ["\n".join(page) for page in lines]
    return Pages(tuple(_joined(texts)), tuple(left_out))


def _take_edges(pages: Sequence[list[str]], edge: int) -> list[str]:
    """The first or last line of each page that stands there on at least three, numbers aside.

    What stands on most pages, an owner or a date, is said once.
    """
    for page in pages:
        while page and not page[edge].strip():
            page.pop(edge)
    framed = [page for page in pages if len(page) > 1]
    found = Counter(_mask(page[edge]) for page in framed)
    repeated = {mask for mask, count in found.items() if count >= _LEAST_PAGES and _may_repeat(mask)}
    said = {mask for mask in repeated if 2 * found[mask] <= len(pages) or not any(map(str.isalpha, mask))}
    left_out = []
    for page in framed:
        if (mask := _mask(page[edge])) in repeated:
            if mask in said:
                left_out.append(page.pop(edge))
            said.add(mask)
    return left_out


def _mask(line: str) -> str:
    bare = " ".join(line.split())
    return "#" if _ROMAN.match(bare) else _DIGITS.sub("#", bare)


def _may_repeat(mask: str) -> bool:
    """A number alone is that of the page; of rows of numbers nobody can tell."""
    return mask.strip("-–—. ") == "#" or sum(map(str.isalpha, mask)) > 2


def _take_contents(pages: Sequence[list[str]]) -> list[str]:
    dotted = sum(1 for page in pages for line in page if _LEADERS.match(line.rstrip()))
    left_out: list[str] = []
    for at, page in enumerate(pages):
        listed = sum(1 for line in page if _LISTED.match(line.rstrip()))
        is_index = at > len(pages) // 2 and len(page) >= _LEAST_LISTED and listed >= _MOSTLY * len(page)
        kept = [line for line in page if not is_index and not _is_leader(line, dotted)]
        left_out += [line for line in page if is_index or _is_leader(line, dotted)]
        page[:] = kept
    return [line for line in left_out if line.strip()]


def _is_leader(line: str, dotted: int) -> bool:
    return dotted >= _LEAST_LEADERS and _LEADERS.match(line.rstrip()) is not None


def _joined(texts: Sequence[str]) -> Iterator[str]:
    """A word broken at the end of a line is one where the document has it whole elsewhere."""
    known = set(re.findall(r"\w+", "\n".join(texts)))
    for text in texts:
        yield _BROKEN.sub(lambda word: word[1] + word[2] if word[1] + word[2] in known else word[0], text)


def placed(
    outline: Sequence[tuple[int, int, str]], text: str, starts: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    """Offset, level and title of each entry of an outline that names page, level and title, in order."""
    reached = 0
    for page, level, title in outline:
        if not 0 <= page < len(starts) or not title.split():
            continue
        end = starts[page + 1] if page + 1 < len(starts) else len(text)
        start = max(starts[page], reached)
        words = r"\s+".join(map(re.escape, title.split()))
        found = re.search(rf"^[^\n]{{0,20}}?{words}", text[start:end], re.MULTILINE | re.IGNORECASE)
        at = start + (found.start() if found else 0)
        if at > reached or not reached:
            yield at, level, " ".join(title.split())
            reached = at
