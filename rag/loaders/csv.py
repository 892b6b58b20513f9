"""Comma, semicolon or tab separated values: a paragraph for each row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from io import StringIO
from itertools import islice

from rag.loaders.raw import RawFile
from rag.loaders.rows import paragraphs
from rag.types import Document


def load(file: RawFile) -> Iterable[Document]:
    text = file.text()
    delimiter = "\t" if file.suffix == ".tsv" else _delimiter(text)
    yield file.document("\n\n".join(paragraphs(_rows(text, delimiter))))


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(StringIO(text), delimiter=delimiter))
    except csv.Error:  # a quote that never closes swallows the file: then quotes are ordinary characters
        return list(csv.reader(StringIO(text), delimiter=delimiter, quoting=csv.QUOTE_NONE))


def _delimiter(text: str) -> str:
    """The one that cuts the first rows into the same number of cells. csv.Sniffer guesses worse."""
    return max(",;\t|", key=lambda delimiter: _evenness(text[:50_000], delimiter))


def _evenness(sample: str, delimiter: str) -> tuple[bool, float, int]:
    widths = Counter(len(row) for row in islice(csv.reader(StringIO(sample), delimiter=delimiter), 50) if row)
    (width, rows), *_ = widths.most_common(1) or [(0, 0)]
    return width > 1, rows / max(1, widths.total()), width
