"""Vectors from Cohere's embed endpoint, version 2, which tells questions from documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, ValidationError

from rag.embedders.hosted import Encode, HostedEmbedderSettings, Limits, in_order
from rag.services.http import Endpoint

if TYPE_CHECKING:
    from rag.types import Floats


class CohereEmbedderSettings(HostedEmbedderSettings, frozen=True):
    provider: ClassVar[str] = "Cohere"
    address: ClassVar[str] = "https://api.cohere.com"
    variables: ClassVar[tuple[str, ...]] = ("CO_API_KEY", "COHERE_API_KEY")
    most_bytes: ClassVar[int] = 20_000_000
    known: ClassVar[Mapping[str, int]] = {
        "embed-v4.0": 1536,
        "embed-english-v3.0": 1024,
        "embed-multilingual-v3.0": 1024,
        "embed-english-light-v3.0": 384,
        "embed-multilingual-light-v3.0": 384,
    }

    kind: Literal["cohere"]
    model: str = "embed-v4.0"

    def limits(self) -> Limits:
        """The service takes 96 texts a call."""
        return Limits(inputs=96, tokens=300_000)

    def encoders(self) -> tuple[Encode, Encode]:
        encode = partial(_vectors, self.endpoint("embedder"), self)
        return partial(encode, "search_document"), partial(encode, "search_query")


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
    reply = endpoint.post_patiently("/v2/embed", body)
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
