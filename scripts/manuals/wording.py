"""When a text says a fact: white space, typographic quotes and the marks of code do not count."""

from __future__ import annotations

import re
from functools import cache

_ALIKE = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "`": "", "\N{NO-BREAK SPACE}": " ", "−": "-", "–": "-"}
)
# Markdown's block quotes, inside of which a fact may wrap.
_QUOTED = re.compile(r"^(?:[ \t]*>)+", re.MULTILINE)
_SPACE = re.compile(r"\s+")
_STARS = re.compile(r"\*+")


def plain(text: str) -> str:
    """The text in one line. Names and operators stay as they are: no `_` and no `*` is touched."""
    return _SPACE.sub(" ", _QUOTED.sub("", text).translate(_ALIKE))


@cache
def pattern(fact: str) -> re.Pattern[str]:
    return re.compile(fact, re.IGNORECASE)


def says(text: str, fact: str) -> bool:
    """Stars that only emphasise may stand in the text, in the midst of the fact; its own must be there."""
    line = plain(text)
    found = pattern(fact)
    return bool(found.search(line) or found.search(_STARS.sub("", line)))
