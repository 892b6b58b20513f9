"""Vectors from OpenAI's embedding models, or from any server that speaks the same protocol."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, TypeAdapter

from rag.errors import InputError
from rag.services import Account, Address, openai_account, openai_client, openai_errors
from rag.types import EmbedderCard, PassageVectors, QuestionVectors

if TYPE_CHECKING:
    import openai

    from rag.protocols import Sizer
    from rag.types import Floats

_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_INPUTS_PER_REQUEST = 2048
_TOKENS_PER_REQUEST = 300_000
_SHORTEST_NORM = 1e-12


class OpenAIEmbedderSettings(BaseModel, frozen=True, extra="forbid"):
    """A model is known by its name: the same name at another base_url is taken for the same vectors."""

    kind: Literal["openai"]
    model: str = "text-embedding-3-small"
    base_url: Address | None = None
    api_key: SecretStr | None = None
    dimensions: PositiveInt | None = None
    question_prompt: str = ""
    passage_prompt: str = ""
    window: PositiveInt = 8191
    timeout_s: PositiveFloat = 60.0
    retries: NonNegativeInt = 2

    def build(self) -> OpenAIEmbedder:
        """Asks the server once for a vector where neither settings nor model name tell its length."""
        account = openai_account("EMBEDDER", self.api_key, self.base_url)
        client = openai_client(account, self.base_url, self.timeout_s, self.retries)
        vectors = _Vectors(self.model, self.dimensions, account, client)
        dimension = self.dimensions or _DIMENSIONS.get(self.model) or len(vectors.of(["?"])[0])
        card = EmbedderCard(
            name=f"openai:{self.model}",
            revision="",
            dimension=dimension,
            window=self.window,
            question_prompt=self.question_prompt,
            passage_prompt=self.passage_prompt,
        )
        return OpenAIEmbedder(card, vectors)


class OpenAIEmbedder:
    def __init__(self, card: EmbedderCard, vectors: _Vectors) -> None:
        self._card = card
        self._vectors = vectors

    @property
    def card(self) -> EmbedderCard:
        return self._card

    def sizer(self) -> Sizer:
        return estimated_tokens

    def embed_passages(self, texts: Sequence[str]) -> list[PassageVectors]:
        inputs = [self._input(self._card.passage_prompt, text) for text in texts]
        return [PassageVectors(vector) for batch in _batches(inputs) for vector in self._embed(batch)]

    def embed_question(self, text: str) -> QuestionVectors:
        return self.embed_questions([text])[0]

    def embed_questions(self, texts: Sequence[str]) -> list[QuestionVectors]:
        inputs = [self._input(self._card.question_prompt, text) for text in texts]
        return [QuestionVectors(vector) for batch in _batches(inputs) for vector in self._embed(batch)]

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

    def _embed(self, inputs: Sequence[str]) -> list[Floats]:
        return [_unit(vector) for vector in self._vectors.of(inputs, self._card.dimension)]


class _Vectors:
    """The one call to the service, and the checks of what it answers."""

    def __init__(self, model: str, dimensions: int | None, account: Account, client: openai.OpenAI) -> None:
        self._model = model
        self._dimensions = dimensions
        self._account = account
        self._client = client
        weakref.finalize(self, client.close)  # connections would else stay open until collected

    def of(self, inputs: Sequence[str], dimension: int | None = None) -> list[Floats]:
        with openai_errors(self._account):
            response: object = self._client.embeddings.create(
                model=self._model,
                input=list(inputs),
                # Asked for by name, the SDK leaves it encoded: a quarter of the bytes, no list of floats.
                encoding_format="base64",
                extra_body={"dimensions": self._dimensions} if self._dimensions else None,
            )
            answer = TypeAdapter(_Answer).validate_python(response, from_attributes=True)
            vectors = {item.index: _decoded(item.embedding) for item in answer.data}
        if len(answer.data) != len(inputs) or sorted(vectors) != list(range(len(inputs))):
            raise self._account.nonsense(
                f"{len(answer.data)} vectors for {len(inputs)} texts, or wrong indexes"
            )
        return [self._checked(vectors[index], dimension) for index in range(len(inputs))]

    def _checked(self, vector: Floats, dimension: int | None) -> Floats:
        import numpy as np

        if dimension is not None and vector.shape != (dimension,):
            raise self._account.nonsense(
                f"a vector of {vector.size} dimensions where {dimension} were expected"
            )
        if not np.isfinite(vector).all() or np.linalg.norm(vector) < _SHORTEST_NORM:
            raise self._account.nonsense("a vector that is not finite, or all zero")
        return vector


class _Item(BaseModel):
    index: int
    embedding: str | list[float]


class _Answer(BaseModel):
    data: list[_Item]


def estimated_tokens(text: str) -> int:
    """A quarter of the bytes, rounded up: what English prose comes to. An estimate, not a count."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def _batches(inputs: Sequence[str]) -> Iterator[list[str]]:
    """As many texts as one request may hold.

    Half of the bytes is more than any text seen makes in tokens (hex and rare scripts come near it,
    prose has half of that), and 600 kB in a request are plenty anyway.
    """
    batch: list[str] = []
    tokens = 0
    for text in inputs:
        most = len(text.encode("utf-8", "replace")) // 2 + 1
        if batch and (len(batch) == _INPUTS_PER_REQUEST or tokens + most > _TOKENS_PER_REQUEST):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += most
    if batch:
        yield batch


def _decoded(embedding: str | list[float]) -> Floats:
    """Base64 of little-endian floats; servers that do not know it send a list."""
    import numpy as np

    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)


def _unit(vector: Floats) -> Floats:
    import numpy as np

    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
