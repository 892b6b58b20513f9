"""Vectors from Cohere's embed endpoint, version 2, which tells questions from documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, ValidationError

from rag.embedders.hosted import HostedEmbedder, Limits, batches, in_order
from rag.services.account import Account, Address, KeyPlaces, Variable, host_of, open_account
from rag.services.http import Endpoint
from rag.types import EmbedderCard

if TYPE_CHECKING:
    from rag.types import Floats

_PRODUCTION = "https://api.cohere.com"
_DIMENSIONS = {
    "embed-v4.0": 1536,
    "embed-english-v3.0": 1024,
    "embed-multilingual-v3.0": 1024,
    "embed-english-light-v3.0": 384,
    "embed-multilingual-light-v3.0": 384,
}
# The service takes 96 texts a call.
_LIMITS = Limits(inputs=96, tokens=300_000)
_MOST_BYTES = 20_000_000


class CohereEmbedderSettings(BaseModel, frozen=True, extra="forbid"):
    """A model is known by its name: the same name at another base_url is taken for the same vectors."""

    kind: Literal["cohere"]
    model: str = "embed-v4.0"
    base_url: Address | None = None
    api_key: SecretStr | None = None
    key_env: Variable | None = None
    dimensions: PositiveInt | None = None
    window: PositiveInt = 512
    timeout_s: PositiveFloat = 60.0
    retries: NonNegativeInt = 2

    def host(self) -> str:
        return host_of(self.base_url or _PRODUCTION)

    def calls(self, texts: Sequence[str]) -> int:
        return sum(1 for _ in batches(texts, _LIMITS))

    def build(self) -> HostedEmbedder:
        """Asks the service once for a vector where neither settings nor model name tell its length."""
        endpoint = Endpoint(
            self._account(), self.base_url or _PRODUCTION, self.timeout_s, most_bytes=_MOST_BYTES
        )
        encode = partial(_vectors, endpoint, self)
        known = self.dimensions or _DIMENSIONS.get(self.model)
        card = EmbedderCard(
            name=f"cohere:{self.model}",
            revision="",
            dimension=known or len(encode("search_query", ["?"], None)[0]),
            window=self.window,
        )
        passages, questions = partial(encode, "search_document"), partial(encode, "search_query")
        return HostedEmbedder(card, passages, questions, _LIMITS)

    def _account(self) -> Account:
        usual = ("CO_API_KEY", "COHERE_API_KEY") if self.host() == host_of(_PRODUCTION) else ()
        places = KeyPlaces(self.api_key, "RAG_EMBEDDER__API_KEY", self.key_env, usual)
        return open_account("Cohere", places)


def _vectors(
    endpoint: Endpoint,
    settings: CohereEmbedderSettings,
    role: str,
    texts: Sequence[str],
    dimension: int | None,
) -> list[Floats]:
    import numpy as np

    body: dict[str, object] = {
        "model": settings.model,
        "input_type": role,
        "texts": list(texts),
        "embedding_types": ["float"],
    }
    if settings.dimensions:
        body["output_dimension"] = settings.dimensions
    reply = endpoint.post_patiently("/v2/embed", body, settings.retries)
    try:
        rows = _Reply.model_validate(reply).embeddings.float_
    except ValidationError:
        raise endpoint.nonsense("no vectors under `embeddings.float`", reply) from None
    found = [(index, np.asarray(row, np.float32)) for index, row in enumerate(rows)]
    return in_order(endpoint.account, found, len(texts), dimension)


class _Embeddings(BaseModel):
    float_: list[list[Annotated[float, Field(allow_inf_nan=False)]]] = Field(alias="float")


class _Reply(BaseModel):
    embeddings: _Embeddings
