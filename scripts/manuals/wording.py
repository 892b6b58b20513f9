"""When a text says a fact: white space, typographic quotes and the marks of code do not count."""

from __future__ import annotations

import re
from collections.abc import Iterator
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


def place(text: str, fact: str) -> tuple[int, int]:
    """Where the text says the fact; (0, 0) where it does not."""
    kept = list(_plain_characters(text))
    for read in (kept, [one for one in kept if one[0] != "*"]):
        if found := pattern(fact).search("".join(character for character, _ in read)):
            last = max(found.start(), found.end() - 1)
            return read[found.start()][1], read[last][1] + 1
    return 0, 0


def _plain_characters(text: str) -> Iterator[tuple[str, int]]:
    """Those of `plain`, each with its place in the text."""
    left_out = {at for found in _QUOTED.finditer(text) for at in range(*found.span())}
    before = ""
    for at, character in enumerate(text):
        alike = "" if at in left_out else character.translate(_ALIKE)
        alike = " " if alike.isspace() else alike
        if alike and not alike == before == " ":
            yield alike, at
            before = alike


@cache
def pattern(fact: str) -> re.Pattern[str]:
    return re.compile(fact, re.IGNORECASE)


def says(text: str, fact: str) -> bool:
    """Stars that only emphasise may stand in the text, in the midst of the fact; its own must be there."""
    line = plain(text)
    found = pattern(fact)
    return bool(found.search(line) or found.search(_STARS.sub("", line)))
