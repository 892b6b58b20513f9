"""A reply's text → citations: every marker, quotation and number is checked against the passages it cites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rag.answers.prompt import heading_of, one_line
from rag.answers.quantities import unsupported
from rag.answers.sentences import Span, sentences
from rag.answers.visible import visible
from rag.types import Chunk, Citation, CitationStatus, Passage, Quote

# What may stand in a fragment as it is.
_IN_FRAGMENT = "!$&'()*+,;=:@/?-._~"
_MARKER = re.compile(r"\[[ \t]*([0-9]{1,4}(?:[ \t]*[-–,;][ \t]*[0-9]{1,4})*)[ \t]*\]")

_LEADING_MARKERS = re.compile(rf"(?:{_MARKER.pattern}[ \t]*)+")

_QUOTE = re.compile(
    r"(?<![\w\"])\"(?=\S)([^\"\n]+?)(?<=\S)\"(?!\w)|„([^„“”\n]+)[“”]|“([^“”\n]+)”|«([^«»\n]+)»|»([^«»\n]+)«"
)

_MARKED_NAME = re.compile(r"[\w./$-]*(?:\w_+\w|\(\*\)|~\*)[\w./()-]*")
_MARKS = re.compile(r"[_*]")

_ELLIPSIS = re.compile(r"\[?(?:…|\.{3,})\]?")

_WORD = re.compile(r"\w+")

_LONGEST_RANGE = 50


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of the reply, the passages it names, and the words it says are theirs."""

    text: str
    markers: tuple[int, ...]
    quotes: tuple[str, ...]


def cite(text: str, passages: Sequence[Passage], question: str = "") -> tuple[Citation, ...]:
    """One citation per marker and sentence, in order. What cannot be confirmed is flagged, never hidden."""
    chunks = [passage.chunk for passage in passages]
    return tuple(citation for claim in _claims(text) for citation in _cite(claim, chunks, question))


def confirm(quotes: Sequence[Quote], passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """One citation a quotation: `ok` where each of its lines stands so in what the passage shows."""
    chunks = [passage.chunk for passage in passages]
    return tuple(_confirm(quote, chunks[quote.marker - 1]) for quote in quotes)


def _confirm(quote: Quote, chunk: Chunk) -> Citation:
    shown = one_line("\n".join([*chunk.headings, visible(chunk.text, chunk.markup, chunk.lead)]))
    lines = (one_line(line).removeprefix("- ") for line in quote.text.splitlines())
    status: CitationStatus = "ok" if all(line in shown for line in lines) else "quote-not-found"
    return Citation(
        quote.marker, chunk.source, chunk.page, heading_of(chunk), quote.start, quote.end, status, uri(chunk)
    )


def uri(chunk: Chunk) -> str:
    """`page.html#ID`, `file.md#slug`, `file.pdf#page=3`: where the passage begins, or its document."""
    file, mark, part = chunk.source.partition("#")
    place = chunk.anchor
    if not place and chunk.page is not None and file.lower().endswith(".pdf"):
        place = f"page={chunk.page}"
    return quote(file, safe="/:") + (
        f"#{quote(part if mark else place, safe=_IN_FRAGMENT)}" if mark or place else ""
    )


def renumbered(text: str, numbers: Mapping[int, int], at_line_ends: bool) -> str:
    """With other numbers in its markers. `at_line_ends`: elsewhere `[1]` belongs to what is quoted."""
    pattern = re.compile(rf"{_MARKER.pattern}(?=[ \t]*$)", re.MULTILINE) if at_line_ends else _MARKER

    def anew(marker: re.Match[str]) -> str:
        old = list(_numbers(marker[1]))
        if not numbers.keys() & {*old}:
            return marker[0]
        return f"[{', '.join(str(number) for number in dict.fromkeys(numbers.get(n, n) for n in old))}]"

    return pattern.sub(anew, text)


def _claims(text: str) -> Iterator[_Claim]:
    marked: dict[Span, list[int]] = {}
    before: Span | None = None
    for span in sentences(text):
        leading = _LEADING_MARKERS.match(text, *span)
        led = leading.end() if leading else span[0]
        owner = _owner_of_leading(text, before, span, led, marked)
        for marker in _MARKER.finditer(text, *span):
            marked.setdefault(owner if marker.start() < led else span, []).extend(_numbers(marker[1]))
        before = span
    quotes = [(match.span(), next(filter(None, match.groups()))) for match in _QUOTE.finditer(text)]
    for (start, end), markers in marked.items():
        yield _Claim(
            text=_MARKER.sub(" ", text[start:end]),
            markers=tuple(dict.fromkeys(markers)),
            # A quotation may hold several sentences: each of them answers for the whole of it.
            quotes=tuple(words for (left, right), words in quotes if left < end and start < right),
        )


def _owner_of_leading(
    text: str, before: Span | None, span: Span, led: int, marked: Mapping[Span, object]
) -> Span:
    """Whom markers at the head of a sentence speak for: it, or in “… it is. [1]” the one just ended."""
    if before is None:
        return span
    if led == span[1]:
        return before
    return span if before in marked or "\n" in text[before[1] : span[0]] else before


def _numbers(inside: str) -> Iterator[int]:
    """1 | 1, 2 | 1-3. A range that is reversed or absurdly long counts as its two ends."""
    for part in re.split("[,;]", inside):
        ends = [int(end) for end in re.split("[-–]", part)]
        if len(ends) == 2 and 0 <= ends[1] - ends[0] < _LONGEST_RANGE:
            yield from range(ends[0], ends[1] + 1)
        else:
            yield from ends


def _cite(claim: _Claim, chunks: Sequence[Chunk], question: str) -> Iterator[Citation]:
    cited = [chunks[marker - 1] for marker in claim.markers if 1 <= marker <= len(chunks)]
    status = _status(claim, cited, question)
    for marker in claim.markers:
        if not 1 <= marker <= len(chunks):
            yield Citation(marker, None, None, None, None, None, "unknown-passage")
            continue
        chunk = chunks[marker - 1]
        start, end = _support(chunk, claim.text)
        yield Citation(marker, chunk.source, chunk.page, heading_of(chunk), start, end, status, uri(chunk))


def _status(claim: _Claim, cited: Sequence[Chunk], question: str) -> CitationStatus:
    evidence = [text for chunk in cited for text in _evidence(chunk)]
    if not all(any(_is_verbatim(quote, text) for text in evidence) for quote in claim.quotes):
        return "quote-not-found"
    if evidence and _loses_marks(claim.text, "\n".join([*evidence, question])):
        return "quote-not-found"
    if unsupported(claim.text, "\n".join([*evidence, question])):
        return "number-not-found"
    return "ok"


def _evidence(chunk: Chunk) -> Iterator[str]:
    """All that the prompt shows of a passage: as it stands there, and as a person would see it."""
    page = f"page {chunk.page}" if chunk.page is not None else ""
    for text in (chunk.text, visible(chunk.text, chunk.markup)):
        yield "\n".join([chunk.source, *chunk.headings, page, text])


def _is_verbatim(quote: str, evidence: str) -> bool:
    """Whether the quoted words stand there, letter by letter but for case, spaces, dashes and quote marks.

    What “…” left out may be anything, but the pieces must follow one another. One word is no
    quotation: it may be a name or a doubt.
    """
    words = _MARKER.sub(" ", quote)
    if len(_WORD.findall(words)) < 2:
        return True
    haystack, position = _plain(evidence), 0
    for piece in _ELLIPSIS.split(words):
        plain = _plain(piece).strip(" .,;:!?")
        found = haystack.find(plain, position)
        if found < 0:
            return False
        position = found + len(plain)
    return True


def _loses_marks(claim: str, evidence: str) -> bool:
    """Whether a name of the evidence stands in the claim without its marks, as sharedbuffers or count()."""
    names = {name for name in _MARKED_NAME.findall(evidence) if name.strip("*_") == name or "(" in name}
    bare = {_MARKS.sub("", name) for name in names} - {""}
    return any(_stands(name, claim) and not _stands(name, evidence) for name in bare)


def _stands(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w*~]){re.escape(name)}(?![\w*])", text) is not None


# Quotes go: one quotation may hold another.
_PLAIN = str.maketrans({**dict.fromkeys("“”„«»‘’‚`'\"\u00ad"), **dict.fromkeys("‐‑‒–—−", "-"), "|": " "})


def _plain(text: str) -> str:
    return one_line(text.translate(_PLAIN).casefold())


def _support(chunk: Chunk, claim: str) -> Span:
    """Where in the document the claim finds most of its words; the whole passage if nowhere.

    A word counts for more the fewer sentences of the passage hold it, and a number for twice that.
    """
    spans = sentences(chunk.text)
    held = [_content_words(chunk.text[start:end]) for start, end in spans]
    spread = Counter(word for words in held for word in words)
    wanted = _content_words(claim)
    weights = [sum((1 + word.isdigit()) / spread[word] for word in words & wanted) for words in held]
    if not any(weights):
        return chunk.start, chunk.end
    start, end = spans[weights.index(max(weights))]
    return chunk.start + start, chunk.start + end


def _content_words(text: str) -> frozenset[str]:
    """Short words carry little, short numbers a lot."""
    words = _WORD.findall(text.casefold())
    return frozenset(word for word in words if len(word) > 3 or word.isdigit())
