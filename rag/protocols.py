"""The joints of the pipeline: what a part must do to be exchangeable.

The fake of a part in a test is an ordinary class with the same methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.filters import Where
    from rag.types import (
        Bits,
        Candidate,
        Chunk,
        Document,
        EmbedderCard,
        Floats,
        Hit,
        Passage,
        PassageVectors,
        Question,
        QuestionVectors,
        Reply,
        RerankerCard,
        Scores,
    )

    Sizer = Tokenizer | Callable[[str], int]
    """How long a text is for an embedder: its tokenizer, or a function that counts."""


Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as work goes on; the total is 0 while it is not known."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress of one who does not want to know."""


class Chunker(Protocol):
    """Cuts a document into passages that fit the embedder's window."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same document would be cut otherwise."""
        ...

    def chunk(self, document: Document) -> Sequence[Chunk]: ...


class Ruler(Protocol):
    """Measures texts as an embedder does."""

    @property
    def card(self) -> EmbedderCard: ...

    def sizer(self) -> Sizer: ...


class Embedder(Ruler, Protocol):
    """Turns texts into vectors, and says how it measures them."""

    def load(self) -> None:
        """What the first text would wait for, done now."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Sequence[PassageVectors]: ...

    def embed_question(self, text: str) -> QuestionVectors: ...

    def embed_questions(self, texts: Sequence[str]) -> Sequence[QuestionVectors]:
        """Many at once: one pass of a model, or one request."""
        ...


class TokenEncoder(Protocol):
    """Turns texts into token vectors, of unit length, question and passages in the same frame."""

    def embed_question(self, text: str) -> QuestionVectors: ...

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Floats]: ...


class SpannedEncoder(TokenEncoder, Protocol):
    """One that also tells where its tokens stand."""

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]: ...


class TokenSource(Protocol):
    """Where token bits were kept at ingest; None where they were not."""

    def tokens(self, chunks: Sequence[Chunk]) -> Sequence[Bits | None]: ...


class VectorIndex(Protocol):
    """The dense side of the index: one generation of it."""

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None: ...

    def delete(self, ids: Sequence[str]) -> None: ...

    def search(self, vector: Floats, n: int, where: Where | None = None) -> Sequence[Hit]: ...

    def count(self) -> int: ...

    def held(self) -> dict[str, int]:
        """How many passages each of its parts holds, by name: they may lag behind what a search finds."""
        ...


class Passages(Protocol):
    """All that an index should hold, from which it can be made anew: the catalog."""

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        ...

    def all_chunks(self, size: int) -> Iterator[list[Chunk]]: ...

    def vectors(self, ids: Sequence[str]) -> dict[str, Floats]: ...


class VectorStore(Protocol):
    """Holds generations of the dense index side by side, so that a rebuild can replace one whole.

    A family is all that belongs to one catalog: nothing of another's is ever touched.
    """

    def open(self, family: str, generation: int, passages: Passages | None = None) -> VectorIndex:
        """passages: what it should hold. Without: one that is about to be filled."""
        ...

    def drop_all_but(self, family: str, generation: int) -> None: ...

    def check(self, family: str, generation: int) -> None:
        """Refuses files that are not as they were written."""
        ...

    def settle(self) -> None:
        """The writer is done: what lies there now is as it should be."""
        ...

    def set_aside(self) -> None:
        """Puts away what cannot be opened, so that another generation can be made."""
        ...


class Retriever(Protocol):
    """The first stage: the candidates for a question, best first."""

    @property
    def name(self) -> str: ...

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]: ...


class Reranker(Protocol):
    """Reads question and candidates together: one raw score each, in the order given."""

    @property
    def card(self) -> RerankerCard: ...

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores: ...


class Generator(Protocol):
    """Writes an answer from exactly the passages given, numbered from 1 in their order."""

    @property
    def name(self) -> str: ...

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply: ...

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        """Pieces of text as they come, and last the whole Reply."""
        ...
