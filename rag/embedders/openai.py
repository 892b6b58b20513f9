"""Vectors from OpenAI's embedding models, or from any server that speaks the same protocol."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, TypeAdapter

from rag.embedders.hosted import HostedEmbedder, Limits, batches, in_order
from rag.services.account import Account, Address, Variable, host_of
from rag.services.openai import OPENAI_URL, openai_account, openai_client, openai_errors
from rag.types import EmbedderCard

if TYPE_CHECKING:
    import openai

    from rag.types import Floats

_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_LIMITS = Limits(inputs=2048, tokens=300_000)


class OpenAIEmbedderSettings(BaseModel, frozen=True, extra="forbid"):
    """A model is known by its name: the same name at another base_url is taken for the same vectors."""

    kind: Literal["openai"]
    model: str = "text-embedding-3-small"
    base_url: Address | None = None
    api_key: SecretStr | None = None
    key_env: Variable | None = None
    dimensions: PositiveInt | None = None
    question_prompt: str = ""
    passage_prompt: str = ""
    window: PositiveInt = 8191
    timeout_s: PositiveFloat = 60.0
    retries: NonNegativeInt = 2

    def host(self) -> str:
        return host_of(self.base_url or OPENAI_URL)

    def calls(self, texts: Sequence[str]) -> int:
        return sum(1 for _ in batches([self.passage_prompt + text for text in texts], _LIMITS))

    def build(self) -> HostedEmbedder:
        """Asks the server once for a vector where neither settings nor model name tell its length."""
        account = openai_account("EMBEDDER", self.api_key, self.base_url, self.key_env)
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
        return HostedEmbedder(card, vectors.of, vectors.of, _LIMITS)


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
            vectors = [(item.index, _decoded(item.embedding)) for item in answer.data]
        return in_order(self._account, vectors, len(inputs), dimension)


class _Item(BaseModel):
    index: int
    embedding: str | list[float]


class _Answer(BaseModel):
    data: list[_Item]


def _decoded(embedding: str | list[float]) -> Floats:
    """Base64 of little-endian floats; servers that do not know it send a list."""
    import numpy as np

    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
