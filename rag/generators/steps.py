"""The steps of a procedure: what "how do I …?" asks for is a numbered list, not its best sentences."""

from __future__ import annotations

import re

_ASKS_HOW = re.compile(
    r"\s*(?:how (?:do|does|can|should|to)\b|(?:what|which|list)\b.*\bsteps\b)", re.IGNORECASE
)
# An item goes on over the lines below it, up to the next item, a heading or an empty line.
_STEP = re.compile(
    r"^[ \t]*(\d{1,2})[.)][ \t]+(.+(?:\n(?![ \t]*(?:\d{1,2}[.)][ \t]|#|\n|$)).+)*)", re.MULTILINE
)
_LEAST = 3


def asks_how(question: str) -> bool:
    return _ASKS_HOW.match(question) is not None


def steps(text: str) -> list[tuple[int, str, int]]:
    """(number, text, offset) of the first run of at least three consecutive steps; else nothing."""
    run: list[tuple[int, str, int]] = []
    for found in _STEP.finditer(text):
        number = int(found[1])
        if run and number != run[-1][0] + 1:
            if len(run) >= _LEAST:
                break
            run = []
        run.append((number, found[2], found.start(2)))
    return run if len(run) >= _LEAST else []
