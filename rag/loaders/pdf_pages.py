"""The pages of a PDF without what every page repeats: running heads, page numbers, dotted contents, an index.

What is left out is returned, so that it can be counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.loaders.pdf_lines import Line

_LEADERS = re.compile(r"(?:(?:\. ?){5} ?\S{1,8}|(?: \.){2} \d{1,4})$")
_LISTED = re.compile(r"\D\d{1,4}$")
# A line may have any length: only its end is looked at.
_END = 20
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"[ivxlc]+$")
_HYPHENS = "-\u2010"
_BROKEN = re.compile(rf"(?<!\w)(\w++)[{_HYPHENS}]$")
_GOES_ON = re.compile(r"\w+")
_LEAST_PAGES = 3
_LONGEST_HEAD = 120
_LEAST_LEADERS = 4
# Of a page of an alphabetical index nearly every line ends in numbers of pages.
_LEAST_LISTED = 20
_MOSTLY = 0.8
# Heads may have two lines.
_DEEP = 2


@dataclass(frozen=True, slots=True)
class Pages:
    lines: tuple[tuple[Line, ...], ...]
    furniture: tuple[str, ...] = ()


def without_furniture(pages: Sequence[Sequence[Line]]) -> Pages:
    kept = [list(page) for page in pages]
    left_out = [line for edge in (0, -1) for line in _take_numbered(kept, edge)]
    for _ in range(_DEEP):
        for edge in (0, -1):
            left_out += _take_edges(kept, edge)
    left_out += _take_contents(kept)
    return Pages(tuple(join_broken(kept)), tuple(left_out))


def _take_edges(pages: Sequence[list[Line]], edge: int) -> list[str]:
    """The first or last line of each page that stands there on at least three, numbers aside.

    What stands on most pages, an owner or a date, is said once.
    """
    framed = [page for page in pages if len(page) > 1]
    found = Counter(_mask(page[edge]) for page in framed)
    repeated = {mask for mask, count in found.items() if count >= _LEAST_PAGES and _may_repeat(mask)}
    said = {mask for mask in repeated if 2 * found[mask] <= len(pages) or not any(map(str.isalpha, mask))}
    left_out = []
    for page in framed:
        if (mask := _mask(page[edge])) in repeated:
            if mask in said:
                left_out.append(page.pop(edge).text)
            said.add(mask)
    return left_out


def _take_numbered(pages: Sequence[list[Line]], edge: int) -> list[str]:
    """Heads and feet that count the pages, whatever else they say: the chapter, the date."""
    shifts = [{int(number) - at for number in _numbers(page, edge)} for at, page in enumerate(pages)]
    counted = Counter(shift for some in shifts for shift in some)
    shift, count = counted.most_common(1)[0] if counted else (0, 0)
    if count < _LEAST_PAGES or 2 * count < sum(1 for page in pages if len(page) > 1):
        return []
    return [page.pop(edge).text for page, some in zip(pages, shifts, strict=True) if shift in some]


def _numbers(page: Sequence[Line], edge: int) -> Iterator[str]:
    """At the ends of its first or last line."""
    if len(page) > 1 and len(page[edge].text) <= _LONGEST_HEAD:
        yield from {
            word.text for word in (page[edge].words[0], page[edge].words[-1]) if word.text.isdecimal()
        }


def _mask(line: Line) -> str:
    return "#" if _ROMAN.match(line.text) else _DIGITS.sub("#", line.text)


def _may_repeat(mask: str) -> bool:
    """A number alone is that of the page; of rows of numbers nobody can tell."""
    return mask.strip("-–—. ") == "#" or sum(map(str.isalpha, mask)) > 2


def _take_contents(pages: Sequence[list[Line]]) -> list[str]:
    dotted = sum(1 for page in pages for line in page if _LEADERS.search(line.text[-_END:]))
    left_out: list[str] = []
    for at, page in enumerate(pages):
        listed = sum(1 for line in page if _LISTED.search(line.text[-_END:]))
        is_index = at > len(pages) // 2 and len(page) >= _LEAST_LISTED and listed >= _MOSTLY * len(page)
        left_out += [line.text for line in page if is_index or _is_leader(line, dotted)]
        page[:] = [line for line in page if not is_index and not _is_leader(line, dotted)]
    return left_out


def _is_leader(line: Line, dotted: int) -> bool:
    return dotted >= _LEAST_LEADERS and _LEADERS.search(line.text[-_END:]) is not None


def join_broken(pages: Sequence[Sequence[Line]]) -> Iterator[tuple[Line, ...]]:
    """A word broken at the end of a line is one where the document has it whole elsewhere."""
    known = {word for page in pages for line in page for word in _GOES_ON.findall(line.text)}
    for page in pages:
        made: list[Line] = []
        for line in page:
            above = _BROKEN.search(made[-1].text) if made else None
            below = _GOES_ON.match(line.text)
            if above and below and above[1] + below[0] in known:
                made[-1] = _ending_in(made[-1], line)
                line = _without_first(line)
            if line.words:
                made.append(line)
        yield tuple(made)


def _without_first(line: Line) -> Line:
    """The rest of it, from where it begins."""
    left = line.from_word(1)
    return replace(left, words=(replace(left.words[0], x=line.x), *left.words[1:])) if left.words else left


def _ending_in(line: Line, below: Line) -> Line:
    """With the first word of the line below for the rest of its last one."""
    *before, broken = line.words
    whole = replace(broken, text=broken.text.rstrip(_HYPHENS) + below.words[0].text)
    return replace(line, text=line.text.rstrip(_HYPHENS) + below.words[0].text, words=(*before, whole))
