"""Vectors from any server with an OpenAI-like `/embeddings`: Infinity, TEI, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, ValidationError

from rag.embedders.hosted import HostedEmbedder, Limits, batches, in_order
from rag.services.account import Address, KeyPlaces, Variable, host_of, open_account
from rag.services.http import Endpoint
from rag.types import EmbedderCard

if TYPE_CHECKING:
    from rag.types import Floats

# A thousand vectors of 4,096 dimensions, written out.
_MOST_BYTES = 100_000_000
_TOKENS_A_CALL = 300_000


class HttpEmbedderSettings(BaseModel, frozen=True, extra="forbid"):
    """`base_url` is all before `/embeddings`. A model is known by its name, wherever it is served."""

    kind: Literal["http"]
    base_url: Address
    model: str = ""
    api_key: SecretStr | None = None
    key_env: Variable | None = None
    dimensions: PositiveInt | None = None
    question_prompt: str = ""
    passage_prompt: str = ""
    window: PositiveInt = 512
    texts_per_call: PositiveInt = 32
    timeout_s: PositiveFloat = 60.0
    retries: NonNegativeInt = 2

    def host(self) -> str:
        return host_of(self.base_url)

    def calls(self, texts: Sequence[str]) -> int:
        return sum(1 for _ in batches([self.passage_prompt + text for text in texts], self._limits()))

    def build(self) -> HostedEmbedder:
        """Asks the server once for a vector where the settings do not tell its length."""
        places = KeyPlaces(self.api_key, "RAG_EMBEDDER__API_KEY", self.key_env)
        account = open_account(f"The embedding server at {self.host()}", places, keyless=True)
        endpoint = Endpoint(account, self.base_url, self.timeout_s, most_bytes=_MOST_BYTES)
        vectors = _Vectors(self.model, self.dimensions, endpoint, self.retries)
        card = EmbedderCard(
            name=f"http:{self.model or self.host()}",
            revision="",
            dimension=self.dimensions or len(vectors.of(["?"])[0]),
            window=self.window,
            question_prompt=self.question_prompt,
            passage_prompt=self.passage_prompt,
        )
        return HostedEmbedder(card, vectors.of, vectors.of, self._limits())

    def _limits(self) -> Limits:
        return Limits(self.texts_per_call, _TOKENS_A_CALL)


class _Vectors:
    def __init__(self, model: str, dimensions: int | None, endpoint: Endpoint, retries: int) -> None:
        self._model = model
        self._dimensions = dimensions
        self._endpoint = endpoint
        self._retries = retries

    def of(self, inputs: Sequence[str], dimension: int | None = None) -> list[Floats]:
        import numpy as np

        body: dict[str, object] = {"input": list(inputs)}
        if self._model:
            body["model"] = self._model
        if self._dimensions:
            body["dimensions"] = self._dimensions
        reply = self._endpoint.post_patiently("/embeddings", body, self._retries)
        try:
            items = _Reply.model_validate(reply).data
        except ValidationError:
            raise self._endpoint.nonsense("no vectors under `data`", reply) from None
        found = [(item.index, np.asarray(item.embedding, np.float32)) for item in items]
        return in_order(self._endpoint.account, found, len(inputs), dimension)


class _Item(BaseModel):
    index: Annotated[int, Field(strict=True, ge=0)]
    embedding: list[Annotated[float, Field(allow_inf_nan=False)]]


class _Reply(BaseModel):
    data: list[_Item]
