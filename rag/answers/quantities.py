"""The numbers, dates and times a text states, in one form, so that two texts can be compared.

1,000 is 1000, 16 is 16.0, 2 pm is 14:00 and 10 February 2025 is 2025-02-10. What is ambiguous
(1.000) counts as either reading: a check built on this rather misses than accuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

Token = str | Decimal

_CALENDAR = "January February March April May June July August September October November December"
_MONTHS = _CALENDAR.split()
_MONTH = "|".join([*_MONTHS, "Sept", *(name[:3] for name in _MONTHS)])
_SEPARATORS = "[.,'’\u00a0\u2009\u202f]"
_FIGURE = re.compile(
    rf"""
      (?<!\d) (?P<iso> \d{{4}}-\d{{1,2}}-\d{{1,2}} ) (?!\d)
    | (?<!\d) (?P<numeric> \d{{1,2}}(?P<mark>[./])\d{{1,2}}(?P=mark)\d{{4}} ) (?!\d)
    | (?<!\d) (?P<day> \d{{1,2}} ) (?:st|nd|rd|th)?\.? \s+ (?:of\s+)? (?P<month> {_MONTH} )\b\.?
      (?: ,?\s+ (?P<year> \d{{4}} ) (?!\d) )?
    | \b (?P<month_first> {_MONTH} )\.? \s+ (?P<day_last> \d{{1,2}} ) (?!\d) (?:st|nd|rd|th)?
      (?: ,?\s+ (?P<year_last> \d{{4}} ) (?!\d) )?
    | (?<!\d) (?P<clock> \d{{1,2}}:\d{{2}}(?::\d{{2}})? ) (?!\d) (?: \s*(?P<half> [aApP] )\.?[mM]\b )?
    | (?<!\d) (?P<hour> \d{{1,2}} ) \s* (?P<half_day> [aApP] )\.?[mM]\b
    | (?P<number> (?:(?<![^\s(\[<>=≤≥~:|"“])[-−–])? \d+ (?:{_SEPARATORS}\d+)* )
    """,
    re.VERBOSE,
)
_MINUS = re.compile(r"\bminus\s+(?=\d)", re.IGNORECASE)
_WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
"""
_SPELLED: dict[str, Decimal] = {word: Decimal(value) for value, word in enumerate(_WORDS.split())}


@dataclass(frozen=True, slots=True)
class Quantity:
    """`needs`: any one of these in the evidence supports it. `shows`: what it supports as evidence."""

    needs: frozenset[Token]
    shows: frozenset[Token]


def unsupported(claim: str, evidence: str) -> bool:
    """Whether the claim states a number, date or time that the evidence does not."""
    shown = {token for quantity in quantities(evidence) for token in quantity.shows}
    shown |= {_SPELLED[word] for word in re.findall(r"[a-z]+", evidence.casefold()) if word in _SPELLED}
    return any(not quantity.needs & shown for quantity in quantities(claim))


def quantities(text: str) -> Iterator[Quantity]:
    for match in _FIGURE.finditer(_MINUS.sub("-", text)):
        yield from _read(match)


def _read(match: re.Match[str]) -> Iterator[Quantity]:
    get = match.groupdict().get
    if iso := get("iso"):
        year, month, day = map(int, iso.split("-"))
        yield from _date([(month, day)], year)
    elif numeric := get("numeric"):
        day, month, year = map(int, re.split("[./]", numeric))
        orders = [(month, day)] if "." in numeric else [(month, day), (day, month)]
        yield from _date(orders, year)
    elif name := get("month") or get("month_first"):
        written = get("year") or get("year_last")
        day = int(get("day") or get("day_last") or 0)
        yield from _date([(_month(name), day)], int(written) if written else None)
    elif clock := get("clock") or get("hour"):
        yield _time(clock, get("half") or get("half_day"))
    elif number := get("number"):
        yield _number(number)


def _month(name: str) -> int:
    return next(place for place, month in enumerate(_MONTHS, 1) if month[:3] == name[:3])


def _date(orders: list[tuple[int, int]], year: int | None) -> Iterator[Quantity]:
    """A date without a year supports one with it, if the year itself is supported too."""
    days = [f"{month}-{day}" for month, day in orders]
    numbers = {Decimal(part) for order in orders for part in order}
    partial = {f"any {day}" for day in days}
    if year is None:
        yield Quantity(frozenset(partial), frozenset(partial | {f"yearless {day}" for day in days} | numbers))
        return
    full: set[Token] = {f"{year}-{day}" for day in days}
    yield Quantity(frozenset(full | {f"yearless {day}" for day in days}), frozenset(full | partial | numbers))
    yield Quantity(frozenset({Decimal(year)}), frozenset({Decimal(year)}))


def _time(clock: str, half: str | None) -> Quantity:
    hour, *rest = map(int, clock.split(":"))
    minutes = rest or [0]
    written = ":".join(map(str, [hour, *minutes]))
    if half is None:
        return Quantity(frozenset({written}), frozenset({written}))
    hour24 = hour % 12 + (12 if half in "pP" else 0)
    meant = ":".join(map(str, [hour24, *minutes]))
    return Quantity(frozenset({meant}), frozenset({meant, written, Decimal(hour)}))


def _number(written: str) -> Quantity:
    values = frozenset(_values(written))
    return Quantity(values, values)


def _values(written: str) -> Iterator[Token]:
    sign = -1 if written[0] in "-−–" else 1
    digits = written.lstrip("-−–")
    parts = re.split(_SEPARATORS, digits)
    marks = re.findall(_SEPARATORS, digits)
    whole, last = "".join(parts[:-1]), parts[-1]
    if not marks:
        yield sign * Decimal(last)
        return
    if _groups(parts) and len(set(marks)) == 1:
        yield sign * Decimal(whole + last)
    if marks[-1] in ".," and _groups(parts[:-1]) and _can_be_decimal(parts, marks):
        yield sign * Decimal(f"{whole}.{last}")
    if len(marks) > 1:
        yield ".".join(parts)


def _groups(parts: list[str]) -> bool:
    """1,234,567: groups of three after a first one of at most three that is not a bare zero."""
    first, *rest = parts
    return not rest or (len(first) <= 3 and first != "0" and all(len(part) == 3 for part in rest))


def _can_be_decimal(parts: list[str], marks: list[str]) -> bool:
    if len(marks) > 1:
        return len(set(marks[:-1])) == 1 and marks[-1] != marks[0]
    return marks == ["."] or not _groups(parts)
