"""The words of a text that carry something, in a form in which two texts can be compared."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_COMMON_WORDS = """
    a an and any are as at be been by can could did do does for from had has have how i if in into is it
    its many me much must my of on or our shall should so than that the their them then there these they
    this those to under up use used using was we were what when where which while who whom whose why
    will with would you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_STEM = 5


def stems(text: str) -> set[str]:
    """The words that carry something, cut so that `tables` is `table`."""
    return {
        word[:_STEM] if word.isalpha() else word
        for word in _WORD.findall(text.casefold())
        if word not in _COMMON
    }
