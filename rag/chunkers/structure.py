"""Passages along the document's structure: headings, paragraphs, sentences, within a token budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, NonNegativeInt, PositiveInt

from rag.chunkers import asciidoc, tree
from rag.chunkers.cutting import Cutter
from rag.chunkers.headings import Outline, outline, titles
from rag.chunkers.passages import Piece, heading_line, make_chunk, reading, with_title
from rag.chunkers.tree import Block
from rag.errors import ConfigError
from rag.protocols import Ruler
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter

    from rag.protocols import Sizer

# A run without spaces is one unknown token to many tokenizers, however long it is. Passages are
# also held to this many characters a token, so that a base64 blob cannot become one passage.
_CHARACTERS_PER_TOKEN = 12
# Raise it whenever the same document would be cut otherwise.
_VERSION = 2
_TREES = {"markdown": tree.blocks, "asciidoc": asciidoc.blocks}
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})\s*")
# Where two texts meet, some tokenizers need a token more than for both apart.
_SPARE = (0, 2, 8)
# The model's own markers around a text ([CLS] and [SEP]).
_MARKERS = 2


class StructureSettings(BaseModel, frozen=True, extra="forbid"):
    kind: Literal["structure"] = "structure"
    tokens: PositiveInt = 256
    overlap: NonNegativeInt = 0
    headings: bool = True
    heading_tokens: PositiveInt = 48

    def build(self, embedder: Ruler) -> StructureChunker:
        sizer = embedder.sizer()
        prompt = counter(sizer)(embedder.card.passage_prompt)
        budget = min(self.tokens, embedder.card.window) - _MARKERS - prompt
        if budget < 8 or self.overlap >= budget // 2:
            raise ConfigError(
                f"chunker.tokens {self.tokens} with chunker.overlap {self.overlap} leaves no room for text: "
                f"the embedder reads {embedder.card.window} tokens, {prompt} of them its passage prompt; "
                "the overlap must be under half of the rest"
            )
        return StructureChunker(self, budget, sizer)


class StructureChunker:
    def __init__(self, settings: StructureSettings, budget: int, sizer: Sizer) -> None:
        self._settings = settings
        self._sizer = sizer
        self._count = counter(sizer)
        self._budget = budget
        self._heading_budget = min(settings.heading_tokens, self._budget // 2)
        self._splitter = lru_cache(maxsize=128)(self._make_splitter)
        self._fit = lru_cache(maxsize=1024)(self._fitted)
        self.fingerprint = (
            f"structure tokens={self._budget} overlap={settings.overlap} "
            f"headings={settings.headings}/{settings.heading_tokens} cut={_VERSION}"
        )

    def __reduce__(self) -> tuple[type[StructureChunker], tuple[StructureSettings, int, Sizer]]:
        """It goes to the process that cuts without what it has remembered."""
        return StructureChunker, (self._settings, self._budget, self._sizer)

    def chunk(self, document: Document) -> Sequence[Chunk]:
        if document.markup != "text":
            parts = _TREES[document.markup](document.text)
            above = outline(titles(parts))
            pieces = [p for p in self._cut(document, above, parts) if _says_something(document, p)]
        else:
            above = outline(document.titles)
            pieces = [Piece(*span) for span in self._spans(document, above)]
        return [
            make_chunk(
                document,
                ordinal,
                piece,
                (*with_title(document, above.path_at(piece.start)), *piece.terms),
                self._reading(document, above, piece),
            )
            for ordinal, piece in enumerate(pieces)
        ]

    def _cut(self, document: Document, above: Outline, parts: Sequence[Block]) -> list[Piece]:
        def fits(piece: Piece) -> bool:
            return self._fits(self._reading(document, above, piece), self._budget)

        def split(whole: Piece, start: int) -> list[tuple[int, int]]:
            """The text from `start` on; what stands before that goes with its first piece."""
            above_it = self._count(self._reading(document, above, replace(whole, end=start)))
            for spare in _SPARE:
                budget = max(self._budget - above_it - spare, self._budget // 4)
                spans = list(self._parted(document.text, start, whole.end, budget))
                joined = [(whole.start, spans[0][1]), *spans[1:]] if spans else []
                if all(fits(replace(whole, start=a, end=b)) for a, b in joined):
                    return joined
            return [*([(whole.start, start)] if whole.start < start else []), *spans]

        return Cutter(document.text, fits, split).cut(parts)

    def _reading(self, document: Document, above: Outline, piece: Piece) -> str:
        text = document.text[piece.start : piece.end]
        if not self._settings.headings:
            return piece.lead + text
        terms = piece.terms[:-1] if piece.begins else piece.terms
        path = (*with_title(document, above.path_at(piece.start)), *terms)
        return reading(self._fit(path), text, piece.lead)

    def _reserve(self, document: Document, above: Outline) -> int:
        """Tokens that the longest heading path of this document takes from the budget."""
        if not self._settings.headings:
            return 0
        paths = {(), *above.paths}
        fitted = (self._fit(with_title(document, path)) for path in paths)
        return min(max(self._count(heading_line(path)) for path in fitted), self._budget // 2)

    def _fitted(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """The path within its budget: the outermost and the innermost stay longest, words go last."""
        while len(headings) > 1 and not self._fits(heading_line(headings), self._heading_budget):
            headings = (headings[0], *headings[2:]) if len(headings) > 2 else headings[1:]
        while headings and not self._fits(heading_line(headings), self._heading_budget):
            shorter = headings[0][: len(headings[0]) * 3 // 4].rstrip()
            headings = (shorter,) if shorter else ()
        return headings

    def _spans(self, document: Document, above: Outline) -> Iterator[tuple[int, int]]:
        """Plain text: by its paragraphs and sentences; short sections side by side, a long one alone."""
        budget = self._budget - self._reserve(document, above)
        start, end = 0, 0
        for further in [*above.offsets, len(document.text)]:
            if end > start and not self._fits(document.text[start:further], budget):
                yield from self._parted(document.text, start, end, budget)
                start = end
            end = further
        yield from self._parted(document.text, start, end, budget)

    def _parted(self, text: str, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
        reached = start
        for at, part in self._splitter(budget).chunk_indices(text[start:end]):
            for piece_start, piece_end in self._parts(text, start + at, start + at + len(part), budget):
                if piece_end > reached:  # else it is all overlap
                    yield piece_start, piece_end
                    reached = piece_end

    def _parts(self, text: str, start: int, end: int, budget: int) -> Iterable[tuple[int, int]]:
        short = end - start <= budget * _CHARACTERS_PER_TOKEN
        return [(start, end)] if short else self._halves(text, start, end, budget)

    def _halves(self, text: str, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
        part = text[start:end]
        if self._fits(part, budget) or len(part) < 2:
            if part.strip():
                yield start, end
        else:
            middle = (start + end) // 2
            yield from self._halves(text, start, middle, budget)
            yield from self._halves(text, middle, end, budget)

    def _fits(self, text: str, budget: int) -> bool:
        return len(text) <= budget * _CHARACTERS_PER_TOKEN and self._count(text) <= budget

    def _make_splitter(self, budget: int) -> TextSplitter:
        from semantic_text_splitter import TextSplitter

        overlap = min(self._settings.overlap, budget // 2)
        if callable(self._sizer):
            return TextSplitter.from_callback(self._sizer, budget, overlap=overlap)
        return TextSplitter.from_huggingface_tokenizer(self._sizer, budget, overlap=overlap)


def _says_something(document: Document, piece: Piece) -> bool:
    """A fence of code that had to be cut off from its lines is no passage."""
    return _FENCE.fullmatch(document.text[piece.start : piece.end]) is None


def counter(sizer: Sizer) -> Callable[[str], int]:
    if callable(sizer):
        return sizer
    return lambda text: len(sizer.encode(text, add_special_tokens=False).ids)
