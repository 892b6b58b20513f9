"""The lines of a PDF's pages: their words, and where and in which letters each of them stands."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rag.loaders.decoding import normalise

# How PDFium marks a word that it joined again over the end of a line.
_HYPHENATION = re.compile("[\ufffe\x02]")
_LINE = re.compile(r"(?:[^\r\n]|[\ufffe\x02]\r?\n)+")
_WORD = re.compile(r"(?:\S|[\ufffe\x02]\s+)+")
_BEFORE = re.compile(r"[‘’“”\"'(\[]+(?=\S)")
_MONO = re.compile(
    r"mono|courier|consol|typewriter|menlo|fira ?code|inconsolata|(?:^|\+)(?:CM|SF|EC|LM)\w*TT|^ec[a-z]*tt",
    re.I,
)
_BOLD = re.compile(r"bold|black|heavy|semib|demi|-medi(?!um)|(?:^|\+)(?:CM|SF|LM)\w*BX|(?:^|\+)CMB\d", re.I)
_FIXED_PITCH = 1
_FORCED_BOLD = 1 << 18
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Word:
    """From `x` to `right`. `mono`: in letters of one width, as code is set."""

    text: str
    x: float = 0.0
    right: float = 0.0
    mono: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """`y` is the height of its base line above the page's foot; `last` that of its last word, which PDFium
    may have taken from the line below."""

    text: str
    words: tuple[Word, ...] = ()
    y: float = 0.0
    last: float = 0.0
    size: float = 0.0

    @property
    def x(self) -> float:
        return self.words[0].x if self.words else 0.0

    @property
    def mono(self) -> bool:
        return bool(self.words) and all(word.mono for word in self.words)

    @property
    def bold(self) -> bool:
        return bool(self.words) and all(word.bold for word in self.words)

    def from_word(self, at: int) -> Line:
        return replace(self, text=" ".join(word.text for word in self.words[at:]), words=self.words[at:])

    def to_word(self, at: int) -> Line:
        return replace(self, text=" ".join(word.text for word in self.words[:at]), words=self.words[:at])


def plain_line(text: str) -> Line:
    """A line of which nothing is known but its words."""
    return Line(text, tuple(Word(word) for word in text.split()))


class PageReader:
    """Asks PDFium for a few letters of each word: its first ones and its last."""

    def __init__(self, page: Any) -> None:
        import pypdfium2.raw as pdfium  # type: ignore[import-untyped]  # it ships no types

        self._pdfium = pdfium
        self._page = page.get_textpage()
        self._text: str = self._page.get_text_range()
        self._exact = len(self._text) == self._page.count_chars()
        self._place = ctypes.c_double(), ctypes.c_double()
        self._box = ctypes.c_double(), ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        self._matrix = pdfium.FS_MATRIX()
        self._name, self._flags = ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_int()

    def lines(self) -> Iterator[Line]:
        for line in _LINE.finditer(self._text):
            found = (self._word(*word.span()) for word in _WORD.finditer(self._text, *line.span()))
            words = tuple(word for word in found if word.text)
            if words:
                first, end = _ends(self._text, *line.span())
                text = " ".join(word.text for word in words)
                yield Line(text, words, self._origin(first)[1], self._origin(end)[1], self._size(first))

    def _word(self, start: int, end: int) -> Word:
        text = normalise(_HYPHENATION.sub("", "".join(self._text[start:end].split())))
        mono, bold = self._letters(start, end)
        return Word(text, self._origin(start)[0], self._right(end - 1), mono, bold)

    def _index(self, at: int) -> int:
        """What Python counts as one letter, PDFium may count as two."""
        if self._exact:
            return at
        units = len(self._text[:at].encode("utf-16-le", "surrogatepass")) // 2
        return int(self._pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, units))

    def _origin(self, at: int) -> tuple[float, float]:
        x, y = self._place
        found = self._pdfium.FPDFText_GetCharOrigin(self._page, self._index(at), x, y)
        return (round(x.value, 1), round(y.value, 1)) if found else (0.0, 0.0)

    def _right(self, at: int) -> float:
        left, right, bottom, top = self._box
        found = self._pdfium.FPDFText_GetCharBox(self._page, self._index(at), left, right, bottom, top)
        return round(right.value, 1) if found else 0.0

    def _size(self, at: int) -> float:
        """As it is shown: many programs set letters of size 1 and enlarge them."""
        index = self._index(at)
        size = float(self._pdfium.FPDFText_GetFontSize(self._page, index))
        found = self._pdfium.FPDFText_GetMatrix(self._page, index, self._matrix)
        return round(size * (math.hypot(self._matrix.c, self._matrix.d) if found else 1.0), 1)

    def _letters(self, start: int, end: int) -> tuple[bool, bool]:
        """Of its first letter that is no quotation mark or bracket."""
        before = _BEFORE.match(self._text, start, end)
        at = before.end() if before and before.end() < end else start
        self._pdfium.FPDFText_GetFontInfo(
            self._page, self._index(at), self._name, _LONGEST_NAME, ctypes.byref(self._flags)
        )
        return _style(self._name.value, self._flags.value)


@lru_cache(maxsize=1024)
def _style(font: bytes, flags: int) -> tuple[bool, bool]:
    """Whether a font has letters of one width, and whether it is bold."""
    name = font.decode("utf-8", "replace")
    mono = bool(flags & _FIXED_PITCH) or _MONO.search(name) is not None
    return mono, bool(flags & _FORCED_BOLD) or _BOLD.search(name) is not None


def _ends(text: str, start: int, end: int) -> tuple[int, int]:
    """Of a line without the white space around it."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()) - 1
