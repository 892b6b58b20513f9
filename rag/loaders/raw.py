"""A file before it is understood, and how a document is made of what was understood."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from rag.loaders.budget import Budget
from rag.loaders.decoding import decode, normalise
from rag.loaders.metadata import clean
from rag.loaders.opening import too_large
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Markup, Skipped

_HOPELESS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "encrypted or in the old binary Office format",
    b"{\\rtf": "in Rich Text Format, which is not supported: save it as docx",
}
# What no honest heading, address or name in a file exceeds.
_LONGEST_NAME = 1_000
_LONGEST_PART = 300


@dataclass(frozen=True, slots=True)
class RawFile:
    """`left_out`: what of the documents made so far could not be kept."""

    path: Path
    source: str
    data: bytes
    max_bytes: int
    budget: Budget
    left_out: list[Skipped] = field(default_factory=list)

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
            raise Unreadable(too_large(len(self.data), self.max_bytes))
        if not self.data.strip():
            raise Unreadable("empty")
        for magic, reason in _HOPELESS.items():
            if self.data.startswith(magic):
                raise Unreadable(reason)

    def check_pages(self, count: int) -> None:
        """Before they are read."""
        if count > self.budget.pages:
            raise Unreadable(f"{count:,} pages, and loader.budget.pages is {self.budget.pages:,}")

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
        if len(part) > _LONGEST_PART:
            raise Unreadable(f"its name has {len(part):,} characters, and {_LONGEST_PART} are kept")
        source = f"{self.source}#{normalise(part)}" if part else self.source
        if len(text) > self.budget.characters:
            most = self.budget.characters
            raise Unreadable(f"{len(text):,} characters, and loader.budget.characters is {most:,}")
        about = clean(metadata or {})
        self.left_out.extend(Skipped(source, reason) for reason in about.left_out)
        return Document(
            id=document_id(source),
            text=normalise(text),
            source=source,
            metadata=about.fields | {"format": self.format},
            markup=markup,
            pages=pages,
            anchors=tuple((at, normalise(name)) for at, name in anchors if len(name) <= _LONGEST_NAME),
            titles=tuple((at, level, normalise(title[:_LONGEST_NAME])) for at, level, title in titles),
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
