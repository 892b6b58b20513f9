"""Text as it is: notes, logs, source code. Manual pages have many suffixes: their first lines tell."""

from __future__ import annotations

from collections.abc import Iterable

from rag.loaders import asciidoc, formatted, man
from rag.loaders.raw import RawFile
from rag.types import Document

# Where AsciiDoc is kept under a name that does not say so.
_MAY_BE_ASCIIDOC = (".txt", ".text")


def load(file: RawFile) -> Iterable[Document]:
    text = file.text()
    if man.is_page(text):
        yield from man.load(file)
    elif file.suffix in _MAY_BE_ASCIIDOC and asciidoc.is_asciidoc(text):
        yield from asciidoc.load(file)
    elif formatted.is_page(text):
        yield file.document(formatted.as_markdown(text), {"title": formatted.title(text)}, markup="markdown")
    else:
        yield file.document(text)
