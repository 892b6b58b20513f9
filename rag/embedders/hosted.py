"""What all embedders behind a service share: prompts, batches, and the checks of what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveInt

from rag.embedders.base import EmbedderSettings
from rag.errors import InputError
from rag.parts import ModelConnection
from rag.services.account import Account
from rag.types import EmbedderCard, PassageVectors, QuestionVectors

if TYPE_CHECKING:
    from rag.protocols import Sizer
    from rag.types import Floats

_SHORTEST_NORM = 1e-12

Encode = Callable[[Sequence[str], int | None], "list[Floats]"]
"""One call to the service: the vectors of a batch, of this length where it is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold."""

    inputs: int
    tokens: int


class HostedEmbedderSettings(EmbedderSettings, ModelConnection, frozen=True):
    """A model is known by its name: the same name at another base_url is taken for the same vectors.

    known: the length of a model's vectors, by its name.
    """

    known: ClassVar[Mapping[str, int]] = {}

    dimensions: PositiveInt | None = None
    window: PositiveInt = 512

    def longest(self) -> int:
        return self.window

    def calls(self, texts: Sequence[str]) -> int:
        prompt = self.prompts()[1]
        return sum(1 for _ in batches([prompt + text for text in texts], self.limits()))

    def limits(self) -> Limits:
        raise NotImplementedError

    def prompts(self) -> tuple[str, str]:
        """What stands before a question, and before a passage."""
        return "", ""

    def encoders(self) -> tuple[Encode, Encode]:
        """For passages, and for questions."""
        raise NotImplementedError

    def build(self) -> HostedEmbedder:
        """Asks the service once for a vector where neither settings nor model name tell its length."""
        passages, questions = self.encoders()
        known = self.dimensions or self.known.get(self.model)
        card = EmbedderCard(
            f"{self.kind}:{self.model or self.sends_to()}",
            "",
            known or len(questions(["?"], None)[0]),
            self.window,
            *self.prompts(),
        )
        return HostedEmbedder(card, passages, questions, self.limits())


class HostedEmbedder:
    def __init__(self, card: EmbedderCard, passages: Encode, questions: Encode, limits: Limits) -> None:
        self._card = card
        self._passages = passages
        self._questions = questions
        self._limits = limits

    @property
    def card(self) -> EmbedderCard:
        return self._card

    def load(self) -> None:
        """The service is there already."""

    def sizer(self) -> Sizer:
        return estimated_tokens

    def embed_passages(self, texts: Sequence[str]) -> list[PassageVectors]:
        inputs = [self._input(self._card.passage_prompt, text) for text in texts]
        return [PassageVectors(vector) for vector in self._embed(self._passages, inputs)]

    def embed_question(self, text: str) -> QuestionVectors:
        return self.embed_questions([text])[0]

    def embed_questions(self, texts: Sequence[str]) -> list[QuestionVectors]:
        inputs = [self._input(self._card.question_prompt, text) for text in texts]
        return [QuestionVectors(vector) for vector in self._embed(self._questions, inputs)]

    def _embed(self, encode: Encode, inputs: Sequence[str]) -> Iterator[Floats]:
        for batch in batches(inputs, self._limits):
            yield from map(_normalise, encode(batch, self._card.dimension))

    def _input(self, prompt: str, text: str) -> str:
        if not text.strip():
            raise InputError("An empty text has no meaning to embed.")
        whole = prompt + text
        if (size := estimated_tokens(whole)) > self._card.window:
            raise InputError(
                f"A text of about {size} tokens does not fit the window of {self._card.name}, "
                f"{self._card.window} tokens: “{text[:40]}…”. Ask for less, or make smaller chunks."
            )
        return whole


def estimated_tokens(text: str) -> int:
    """A quarter of the bytes, rounded up: what English prose comes to. An estimate, not a count."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def batches(inputs: Sequence[str], limits: Limits) -> Iterator[list[str]]:
    """As many texts as one request may hold.

    Half of the bytes is more than any text seen makes in tokens (hex and rare scripts come near it,
    prose has half of that), and 600 kB in a request are plenty anyway.
    """
    batch: list[str] = []
    tokens = 0
    for text in inputs:
        most = len(text.encode("utf-8", "replace")) // 2 + 1
        if batch and (len(batch) == limits.inputs or tokens + most > limits.tokens):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += most
    if batch:
        yield batch


def in_order(
    account: Account, found: Sequence[tuple[int, Floats]], count: int, dimension: int | None
) -> list[Floats]:
    """The vectors by index; nobody promises an order."""
    vectors = dict(found)
    if len(found) != count or sorted(vectors) != list(range(count)):
        raise account.nonsense(f"{len(found)} vectors for {count} texts, or wrong indexes")
    return [_check(account, vectors[index], dimension) for index in range(count)]


def _check(account: Account, vector: Floats, dimension: int | None) -> Floats:
    import numpy as np

    if dimension is not None and vector.shape != (dimension,):
        raise account.nonsense(f"a vector of {vector.size} dimensions where {dimension} were expected")
    if not np.isfinite(vector).all() or np.linalg.norm(vector) < _SHORTEST_NORM:
        raise account.nonsense("a vector that is not finite, or all zero")
    return vector


def _normalise(vector: Floats) -> Floats:
    import numpy as np

    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
