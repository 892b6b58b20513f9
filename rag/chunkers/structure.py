"""Passages along the document's structure: headings, paragraphs, sentences, within a token budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, NonNegativeInt, PositiveInt

from rag.chunkers.headings import Outline, is_only_headings, outline
from rag.chunkers.passages import heading_line, make_chunk, reading, with_title
from rag.errors import ConfigError
from rag.protocols import Ruler
from rag.types import Chunk, Document, Markup

if TYPE_CHECKING:
    from rag.protocols import Sizer

# A run without spaces is one unknown token to many tokenizers, however long it is. Passages are
# also held to this many characters a token, so that a base64 blob cannot become one passage.
_CHARACTERS_PER_TOKEN = 12
# Room for the hashes of a heading that joins the passage below it; its words are in the reserve.
_HEADING_MARKS = 6
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
        self.fingerprint = (
            f"structure tokens={self._budget} overlap={settings.overlap} "
            f"headings={settings.headings}/{settings.heading_tokens}"
        )

    def chunk(self, document: Document) -> Sequence[Chunk]:
        above = outline(document.text) if document.markup == "markdown" else Outline((), ())
        spans = self._spans(document, self._budget - self._reserve(document, above))
        return [
            make_chunk(
                document,
                ordinal,
                start,
                end,
                with_title(document, above.path_at(start)),
                self._reading(document, above, start, end),
            )
            for ordinal, (start, end) in enumerate(self._joined(document, above, spans))
        ]

    def _reading(self, document: Document, above: Outline, start: int, end: int) -> str:
        text = document.text[start:end]
        if not self._settings.headings:
            return text
        return reading(self._fit(with_title(document, above.path_at(start))), text)

    def _joined(
        self, document: Document, above: Outline, spans: Iterable[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """A heading is no passage of its own: it goes with what it stands above, where both fit."""
        joined: list[tuple[int, int]] = []
        for start, end in spans:
            first = joined[-1][0] if joined else start
            if is_only_headings(document.text[first:start]) and self._fits(
                self._reading(document, above, first, end), self._budget
            ):
                joined[-1] = (first, end)
            else:
                joined.append((start, end))
        return joined

    def _reserve(self, document: Document, above: Outline) -> int:
        """Tokens that the longest heading path of this document takes from the budget."""
        if not self._settings.headings:
            return 0
        paths = {(), *above.paths}
        fitted = (self._fit(with_title(document, path)) for path in paths)
        marks = _HEADING_MARKS if above.paths else 0
        longest = max(self._count(heading_line(path)) for path in fitted)
        return min(marks + longest, self._budget // 2)

    def _fit(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """The path within its budget: the outermost and the innermost stay longest, words go last."""
        while len(headings) > 1 and not self._fits(heading_line(headings), self._heading_budget):
            headings = (headings[0], *headings[2:]) if len(headings) > 2 else headings[1:]
        while headings and not self._fits(heading_line(headings), self._heading_budget):
            shorter = headings[0][: len(headings[0]) * 3 // 4].rstrip()
            headings = (shorter,) if shorter else ()
        return headings

    def _spans(self, document: Document, budget: int) -> Iterator[tuple[int, int]]:
        splitter, reached = self._splitter(document.markup, budget), 0
        for at, part in splitter.chunk_indices(document.text):
            for start, end in self._parts(document.text, at, at + len(part), budget):
                if end > reached:  # else it is all overlap
                    yield start, end
                    reached = end

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

    def _make_splitter(self, markup: Markup, budget: int):  # type: ignore[no-untyped-def]  # two unrelated classes
        from semantic_text_splitter import MarkdownSplitter, TextSplitter

        kind = MarkdownSplitter if markup == "markdown" else TextSplitter
        overlap = min(self._settings.overlap, budget // 2)
        if callable(self._sizer):
            return kind.from_callback(self._sizer, budget, overlap=overlap)
        return kind.from_huggingface_tokenizer(self._sizer, budget, overlap=overlap)


def counter(sizer: Sizer) -> Callable[[str], int]:
    if callable(sizer):
        return sizer
    return lambda text: len(sizer.encode(text, add_special_tokens=False).ids)
