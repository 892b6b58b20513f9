"""Text that a terminal, a page or a log may show: what would steer them is written out instead.

File names, documents, questions and services' errors may hold escape sequences, which move the cursor
or set the clipboard, and marks that turn the direction of text, so that it reads as another one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# C0 but tab and newline, DEL, C1, separators of lines and paragraphs, bidirectional marks, byte order mark.
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

# So many of a list are named.
_NAMED = 3


def shown(text: str) -> str:
    """The text as it can be read: `\\x1b` in place of an escape character."""
    return _STEERS.sub(lambda match: _written_out(match.group()), text)


def in_line(text: str) -> str:
    """The same for a name, which has one line."""
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def in_json(document: str) -> str:
    """The same for a JSON document, in which such characters can only stand inside strings."""
    return _STEERS.sub(lambda match: f"\\u{ord(match.group()):04x}", document)


def first_of(names: Sequence[str]) -> str:
    """A list in a sentence, however long it is."""
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
