"""Text as it is: notes, logs, source code."""

from __future__ import annotations

from collections.abc import Iterable

from rag.loaders import asciidoc
from rag.loaders.raw import RawFile
from rag.types import Document

# Where AsciiDoc is kept under a name that does not say so.
_MAY_BE_ASCIIDOC = (".txt", ".text")


def load(file: RawFile) -> Iterable[Document]:
    if file.suffix in _MAY_BE_ASCIIDOC and asciidoc.is_asciidoc(file.text()):
        yield from asciidoc.load(file)
    else:
        yield file.document(file.text())
