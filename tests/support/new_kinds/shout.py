"""A loader of files that shout."""

from __future__ import annotations

from collections.abc import Iterable

from rag.loaders.raw import RawFile
from rag.types import Document


def load(file: RawFile) -> Iterable[Document]:
    yield file.document(file.text().lower())
