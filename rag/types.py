"""The values that flow through the pipeline, in the order in which they come to be.

Document → Chunk → Candidate → Passage → Answer. Each stage returns the next type;
nobody writes onto somebody else's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # numpy takes longer to import than this whole package
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Bits = NDArray[np.uint8]
    Ints = NDArray[np.int64]
else:
    Floats = Bits = Ints = object

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | tuple[Scalar, ...]]
Markup = Literal["markdown", "asciidoc", "text"]


def shorten(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def literal(text: str) -> str:
    """Markdown that shows this text as it stands."""
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in text)


_MARKDOWN = frozenset("\\`*_{}[]<>()#+-.!|~$&")

# --- what is indexed -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name. `pages` holds the offset at which each page starts, if it has pages.

    `anchors`: offset and name of each place that an address can point at, in order.
    `titles`: offset, level and text of each heading of a text whose own form does not show them.
    `furniture`: how many lines were left out of it because they are no content of its own.

    >>> Document("1", "The spare fuse is in the red drawer.", "fuses.md").source
    'fuses.md'
    """

    id: str
    text: str
    source: str
    metadata: Metadata = field(default_factory=dict)
    markup: Markup = "text"
    pages: tuple[int, ...] = ()
    anchors: tuple[tuple[int, str], ...] = ()
    titles: tuple[tuple[int, int, str], ...] = ()
    furniture: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not become a document, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: `document.text[start:end] == text`.

    `headings` is the path of titles above the passage, outermost first. Of a definition that was cut,
    each piece has its term there.
    `lead` is what stands further above and the text cannot do without: a table's header, the sentence
    that announces a list, the fence of a code block. `lead + text` is sound Markdown where `markup` says so.
    `reading` is what embedder and reranker read: the headings (if configured), the lead and the text.
    `anchor` is the nearest one at or above the start. `markup` is the document's: it says what of the text
    is shown to a person.
    """

    id: str
    document_id: str
    source: str
    ordinal: int
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int | None = None
    reading: str = ""
    metadata: Metadata = field(default_factory=dict)
    markup: Markup = "text"
    lead: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """One passage, encoded: its vector, and its token vectors as one bit a dimension."""

    vector: Floats
    tokens: Bits | None = None


@dataclass(frozen=True, slots=True)
class QuestionVectors:
    """One question, encoded once for dense search and for late interaction."""

    vector: Floats
    tokens: Floats | None = None


@dataclass(frozen=True, slots=True)
class EmbedderCard:
    """All that decides what vectors an embedder makes. Two indexes with equal cards can be mixed."""

    name: str
    revision: str
    dimension: int
    window: int
    question_prompt: str = ""
    passage_prompt: str = ""
    tokens: bool = False


# --- what a question meets -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asks, and its encoding where a stage before has made one.

    `until` is when the present stage has to be over, on the clock of `time.monotonic`. `doubtful`: what
    was found may not answer it.
    """

    text: str
    vectors: QuestionVectors | None = None
    until: float | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of a first-stage result: a chunk's id and its score (cosine or BM25)."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the first stage knows of a candidate, and of the question over the whole index.

    `cosine_reference` is the mean cosine of the question's ten best chunks in the index,
    `bm25_best` the best BM25 score in it and `bm25_limit` the score of a passage that would hold
    all the question's words: these belong to the question, not to the candidates at hand, so a
    candidate's relevance does not depend on which others were retrieved.
    """

    cosine: float | None = None
    bm25: float | None = None
    cosine_reference: float | None = None
    bm25_best: float | None = None
    bm25_limit: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that the first stage proposes. `rank` counts from 1 in the fused order.

    `also`: where else the passage stands word for word.
    """

    chunk: Chunk
    rank: int
    fused: float
    dense_rank: int | None = None
    lexical_rank: int | None = None
    evidence: Evidence = Evidence()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RerankerCard:
    """Who scored: the key under which its calibration is kept."""

    kind: str
    model: str = ""


NOBODY = RerankerCard("none")
"""Who scored where no reranker did: the first stage's order stands."""

RerankStatus = Literal["ok", "late", "degraded", "skipped"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a reranker returns: one raw score a candidate, in the order given, and its confessions.

    truncated: pairs cut to the window. encoded: passages encoded on the spot. cached: not read anew.
    units, tokens: what the service billed; cost: in money, where a price is known.
    Where `ranks` is False, the first stage's order stands.
    Where not all were read by the one who was asked, `scorers` tells who did, best first, and `by`
    for each candidate which of them did. What a better reader has read ranks above what it has not.
    """

    values: tuple[float, ...]
    truncated: int = 0
    encoded: int = 0
    units: float = 0.0
    ranks: bool = True
    tokens: int = 0
    cost: float | None = None
    cached: int = 0
    status: RerankStatus = "ok"
    reason: str = ""
    scorers: tuple[RerankerCard, ...] = ()
    by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one passage: the logit that it answers, and for each of its tokens how likely
    it is a part of the answer. `starts`, `ends`: where the tokens stand in the text that was given; of a
    text longer than the window those that were read. Empty where the model marks nothing."""

    logit: float
    starts: Ints
    ends: Ints
    marks: Floats


@dataclass(frozen=True, slots=True)
class Passage:
    """A candidate with its raw rerank score, its logit (what is sorted on) and its relevance.

    `scorer` is who scored it; None is whoever scores in this pipeline. `read` is what a reader made of
    its chunk's `reading`, where one has read it.

    >>> passages, _ = Rag().rerank("When is soup?", ["The fuse is red.", "Soup is at seven."])
    >>> passages[0].chunk.text, passages[0].rank
    ('Soup is at seven.', 1)
    """

    candidate: Candidate
    score: float
    logit: float
    relevance: float
    rank: int
    scorer: RerankerCard | None = None
    read: Reading | None = field(default=None, compare=False)  # arrays have no one truth to compare by

    @property
    def chunk(self) -> Chunk:
        return self.candidate.chunk


@dataclass(frozen=True, slots=True)
class Dropped:
    """A passage that does not reach the prompt, and the one reason why."""

    passage: Passage
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The passages that reach the prompt, in prompt order, and those that do not."""

    kept: tuple[Passage, ...]
    dropped: tuple[Dropped, ...]


# --- what a question gets ------------------------------------------------------------------

AnswerState = Literal["answered", "unsure", "not_found"]
CitationStatus = Literal["ok", "unknown-passage", "quote-not-found", "number-not-found"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker in the answer, resolved: `start` and `end` are offsets into the document's text.

    `uri` opens the document at the passage, as nearly as its form allows.

    >>> citation = Rag().ask("Where is the spare fuse kept?").citations[0]
    >>> citation.marker, citation.uri, citation.status
    (1, 'notes/fuses.md', 'ok')
    """

    marker: int
    source: str | None
    page: int | None
    heading: str | None
    start: int | None
    end: int | None
    status: CitationStatus = "ok"
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the passage numbered `marker`, as they are shown; `start` and `end` are offsets into its
    document."""

    marker: int
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a generator returns. `written_by` is empty where the text only quotes the documents; `quotes`
    are then all that it quotes, in order. `refused`: it says that the passages do not hold the answer."""

    text: str
    written_by: str = ""
    finish: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    notice: str = ""
    quotes: tuple[Quote, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a question: how long it took and how many items came out."""

    name: str
    ms: float
    count: int


@dataclass(frozen=True, slots=True)
class RerankTrace:
    """Who scored, how it went, and what was cut or encoded on the way.

    `cost` is None where the config has no price for what was billed.
    """

    kind: str
    model: str
    status: RerankStatus = "ok"
    reason: str = ""
    calibration: str = ""
    truncated: int = 0
    encoded: int = 0
    units: float = 0.0
    tokens: int = 0
    cost: float | None = None
    cached: int = 0
    candidates: int = 0
    scored: int = 0


@dataclass(frozen=True, slots=True)
class ReadTrace:
    """What the reader made of the selected passages.

    found: how likely it is that they answer the question; below `threshold` no generator is asked.
    scores: each passage's id and how likely it answers by itself. cut: passages cut to the window.
    skipped: it could not read, for the reason given, and nothing was refused.
    """

    model: str
    status: Literal["ok", "skipped"]
    reason: str = ""
    found: float | None = None
    threshold: float = 0.0
    scores: tuple[tuple[str, float], ...] = ()
    cut: int = 0

    @property
    def refuses(self) -> bool:
        return self.found is not None and self.found < self.threshold


@dataclass(frozen=True, slots=True)
class GenerateTrace:
    kind: str
    model: str = ""
    finish: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CandidateTrace:
    """The way of one candidate through the stages. `kept` is False exactly where `reason` says why."""

    id: str
    source: str
    dense_rank: int | None
    lexical_rank: int | None
    fused_rank: int
    rerank_rank: int
    score: float
    relevance: float
    moved: int
    kept: bool
    reason: str
    scored_by: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer came to be: enough to explain it without asking again."""

    stages: tuple[Stage, ...] = ()
    embedder: str = ""
    retriever: str = ""
    rerank: RerankTrace | None = None
    read: ReadTrace | None = None
    generate: GenerateTrace | None = None
    candidates: tuple[CandidateTrace, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The passages for a question, without an answer.

    >>> Rag().search("spare fuse").passages[0].chunk.source
    'notes/fuses.md'
    """

    question: str
    passages: tuple[Passage, ...]
    trace: Trace


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    >>> answer = Rag().ask("Where is the spare fuse kept?")
    >>> answer.state, answer.found, answer.citations[0].source
    ('answered', True, 'notes/fuses.md')

    `confidence`: how likely it is that what is shown holds the answer. `state`: `unsure` shows what is
    nearest and says so; `not_found` shows nothing.
    """

    question: str
    text: str
    state: AnswerState
    passages: tuple[Passage, ...]
    citations: tuple[Citation, ...]
    trace: Trace
    notice: str = ""
    confidence: float = 0.0

    @property
    def found(self) -> bool:
        return self.state == "answered"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        """One line, whatever the answer holds."""
        places = dict.fromkeys(citation.source for citation in self.citations)
        told = (
            f"{self.state}, confidence {self.confidence:.2f}, {len(places)} source{'s' * (len(places) != 1)}"
        )
        return f"Answer({shorten(self.question, 60)!r}, {told}, {shorten(self.text, 80)!r})"

    def _repr_markdown_(self) -> str:
        """As a notebook shows it; nothing of a document is markup."""
        lines = [literal(line) + "  " for line in self.text.splitlines()]
        sources = dict.fromkeys(f"- \\[{c.marker}\\] {literal(c.source or c.status)}" for c in self.citations)
        return "\n".join([*lines, "", *sources, "", f"*{self.state}, confidence {self.confidence:.2f}*"])

    def _repr_html_(self) -> str:
        """As a notebook shows it; nothing of a document is markup."""
        sources = dict.fromkeys(f"[{c.marker}] {c.source or c.status}" for c in self.citations)
        items = "".join(f"<li>{escape(source)}</li>" for source in sources)
        told = f"{self.state}, confidence {self.confidence:.2f}"
        return (
            f'<div><p style="white-space: pre-wrap">{escape(self.text)}</p>'
            f'<ul style="list-style: none">{items}</ul><small>{told}</small></div>'
        )


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did, counted in documents. `embedded` counts texts sent to the embedder, `furniture`
    the lines that were left out of `furnished` documents since they are no content of their own.

    >>> report = Rag().ingest("notes")
    >>> report.new, report.unchanged
    (0, 2)
    """

    new: int
    changed: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    chunks: int
    embedded: int
    seconds: float
    furniture: int = 0
    furnished: int = 0
