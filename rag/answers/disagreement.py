"""Two documents that say the same of different numbers disagree, which is said; the newest comes first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.answers.quantities import quantities
from rag.answers.units import Unit
from rag.types import Passage

DISAGREE = "The documents disagree; newest first where their dates are known:"

_WORD = re.compile(r"[^\W\d_]+")
_ALIKE = 0.75
_LEAST_WORDS = 4
_DATE_KEYS = ("revised", "updated", "modified", "date", "valid_from", "published", "created")
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)-(\d\d)\b")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_APPLIES = re.compile(
    r"\b(?:apply|applies|valid|effective|in force|revised|updated|as of|from|since)\b[^.\n]{0,20}?"
    r"(?:(?P<day>\d{1,2})\.? (?P<month>[A-Z][a-z]{2})[a-z]* (?P<year>(?:19|20)\d\d)"
    r"|\b(?P<alone>(?:19|20)\d\d)\b)",
    re.IGNORECASE,
)


def in_disagreement(
    chosen: Sequence[Unit], ranked: Sequence[Unit], passages: Sequence[Passage]
) -> list[Unit]:
    """The best unit and what another document says in the same words with other numbers; else nothing."""
    best = chosen[0]
    if best.steps or not (ours := _numbers(best)):
        return []
    for other in ranked[1:]:
        elsewhere = _document(other, passages) != _document(best, passages)
        if elsewhere and (theirs := _numbers(other)) and ours != theirs and _alike(best, other):
            return sorted([best, other], key=lambda unit: _date(unit, passages), reverse=True)
    return []


def _document(unit: Unit, passages: Sequence[Passage]) -> str:
    return passages[unit.passage - 1].chunk.document_id


def _numbers(unit: Unit) -> list[str]:
    return sorted(str(sorted(map(str, quantity.needs))) for quantity in quantities(unit.core))


def _alike(one: Unit, other: Unit) -> bool:
    ours, theirs = _words(one), _words(other)
    return len(ours) >= _LEAST_WORDS and len(ours & theirs) >= _ALIKE * len(ours | theirs)


def _words(unit: Unit) -> set[str]:
    return set(_WORD.findall(f"{unit.core} {unit.lines[0]}".casefold()))


def _date(unit: Unit, passages: Sequence[Passage]) -> str:
    """In ISO's form; what is not known sorts as oldest."""
    return next(_dates(passages[unit.passage - 1]), "")


def _dates(passage: Passage) -> Iterator[str]:
    chunk = passage.chunk
    for key in _DATE_KEYS:
        if found := _ISO.search(str(chunk.metadata.get(key, ""))):
            yield found[0]
    for found in _APPLIES.finditer(chunk.text):
        if found["alone"]:
            yield found["alone"]
        elif found["month"].casefold() in _MONTHS:
            month = _MONTHS.index(found["month"].casefold()) + 1
            yield f"{found['year']}-{month:02}-{int(found['day']):02}"
    yield from re.findall(r"(?:19|20)\d\d", chunk.source)
