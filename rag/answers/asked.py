"""What a question asks for: steps, a number, a name, a date, code, yes or no; and whether a text holds it."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["steps", "number", "date", "name", "code", "reason", "yes-no", "place"]

_I = re.IGNORECASE
# The first that fits decides.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "steps",
        re.compile(
            r"^\W*how (?:do|can|could|should|would|to|does one)\b|\b(?:what|which|list)\b.*\bsteps\b", _I
        ),
    ),
    ("date", re.compile(r"\b(?:when|what (?:year|date|day|time)|which (?:year|date|day)|since when)\b", _I)),
    (
        "number",
        re.compile(
            r"\bhow (?:many|much|long|often|large|big|small|high|low|tall|deep|far|fast|old|heavy|wide|hot)\b"
            r"|\b(?:maximum|minimum|max|min|limit|size|number of|amount|rate|rating|temperature|weight|"
            r"length|port|price|cost|percentage|default value|exit (?:code|status))\b",
            _I,
        ),
    ),
    ("name", re.compile(r"\b(?:who|whom|whose|by whom)\b", _I)),
    (
        "place",
        re.compile(r"^\W*where\b|\bin which (?:country|city|place|file|directory|folder|section)\b", _I),
    ),
    ("reason", re.compile(r"^\W*(?:why|what (?:causes|caused|is the reason))\b|\bhow come\b", _I)),
    (
        "code",
        re.compile(
            r"\b(?:which|what|is there an?|name of the) (?:\w+ )?(?:option|command|flag|switch|setting|"
            r"variable|parameter|function|directive|keyword|file|field|syntax|pragma|builtin|macro|signal)\b",
            _I,
        ),
    ),
    (
        "yes-no",
        re.compile(
            r"^\W*(?:is|are|was|were|can|could|do|does|did|will|would|should|must|may|has|have|am)\b", _I
        ),
    ),
)
_SPELLED = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|"
    "thousand|million|billion|dozen|half|twice|once|no limit|unlimited"
)
_HOLDS: dict[Kind, re.Pattern[str]] = {
    "number": re.compile(rf"\d|\b(?:{_SPELLED})\b", _I),
    "date": re.compile(
        r"\b(?:1[0-9]|20)\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|"
        r"November|December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b|\d{1,2}[:.]\d\d\b|\b\d+ ?[ap]\.?m\b"
        r"|\b(?:century|midnight|noon|daily|weekly|monthly|yearly|after|before|during|until|every)\b"
    ),
    "name": re.compile(r"(?<=[\w,;] )[A-Z][\w'’-]+|\b[A-Z][\w'’-]+ [A-Z][\w'’-]+"),
    "place": re.compile(r"/\w|\b(?:in|at|on|under|near|beside|behind|inside|from) (?:the )?\w"),
    "reason": re.compile(
        r"\b(?:because|since|so that|due to|owing to|in order to|therefore|thus|reason|caused?|causes|"
        r"otherwise|to (?:avoid|prevent|make|keep|allow|ensure))\b",
        _I,
    ),
    "code": re.compile(
        r"`|[\w)][_=(/|$]\w|--?[a-z]\w*\b|\w+\(|\$\w|\b[A-Z]{2,}_[A-Z]+\b|^\s{2,}\S", re.MULTILINE
    ),
    "yes-no": re.compile(
        r"\b(?:yes|no|not|never|cannot|can|may|must|always|only|is|are|does|do|allowed|possible|supported|required)\b",
        _I,
    ),
}
_HOLDS["steps"] = _HOLDS["code"]


def asked_for(question: str) -> Kind | None:
    return next((kind for kind, words in _KINDS if words.search(question)), None)


def holds(kind: Kind, text: str, question: str = "") -> bool:
    """Whether the text has something of the kind that the question does not have itself."""
    said = _words(question)
    found = (_words(match[0]) for match in _HOLDS[kind].finditer(text))
    return any(not words or not words <= said for words in found)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
