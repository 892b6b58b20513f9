"""A file before it is understood, and how a document is made of what was understood."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from rag.loaders.decoding import decode, normalise
from rag.loaders.metadata import clean
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Markup, Skipped

_HOPELESS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "encrypted or in the old binary Office format",
    b"{\\rtf": "in Rich Text Format, which is not supported: save it as docx",
}


@dataclass(frozen=True, slots=True)
class RawFile:
    path: Path
    source: str
    data: bytes
    max_bytes: int

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    @property
    def format(self) -> str:
        return self.suffix.removeprefix(".") or "txt"

    def text(self) -> str:
        return decode(self.data)

    def refuse_hopeless(self) -> None:
        """Raises for what no loader can read, whatever the file is called."""
        if len(self.data) > self.max_bytes:
            raise Unreadable(f"too large: {len(self.data):,} bytes, and max_bytes is {self.max_bytes:,}")
        if not self.data.strip():
            raise Unreadable("empty")
        for magic, reason in _HOPELESS.items():
            if self.data.startswith(magic):
                raise Unreadable(reason)

    def document(
        self,
        text: str,
        metadata: Mapping[str, object] | None = None,
        *,
        markup: Markup = "text",
        pages: tuple[int, ...] = (),
        anchors: tuple[tuple[int, str], ...] = (),
        titles: tuple[tuple[int, int, str], ...] = (),
        furniture: int = 0,
        part: str = "",
    ) -> Document:
        """The document with this text; `part` tells it from others in the same file."""
        source = f"{self.source}#{part}" if part else self.source
        return Document(
            id=document_id(source),
            text=normalise(text),
            source=source,
            metadata=clean(metadata or {}) | {"format": self.format},
            markup=markup,
            pages=pages,
            anchors=anchors,
            titles=titles,
            furniture=furniture,
        )


LoadFunction = Callable[[RawFile], Iterable[Document | Skipped]]


def document_id(source: str) -> str:
    """The same for the same source, on every machine and in every run."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def join_pages(pages: Iterable[str]) -> tuple[str, tuple[int, ...]]:
    """The pages as one text, and the offset in it at which each page starts."""
    texts = [normalise(page).strip() for page in pages]
    starts = accumulate((len(text) + len("\n\n") for text in texts[:-1]), initial=0)
    return "\n\n".join(texts), tuple(starts) if texts else ()
