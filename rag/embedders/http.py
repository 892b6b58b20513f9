"""Vectors from any server with an OpenAI-like `/embeddings`: Infinity, TEI, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from rag.embedders.hosted import Encode, HostedEmbedderSettings, Limits, in_order
from rag.services.account import Address
from rag.services.http import Endpoint

if TYPE_CHECKING:
    from rag.types import Floats


class HttpEmbedderSettings(HostedEmbedderSettings, frozen=True):
    """`base_url` is all before `/embeddings`. A model is known by its name, wherever it is served."""

    provider: ClassVar[str] = "http"
    server: ClassVar[str] = "The embedding server"
    # A thousand vectors of 4,096 dimensions, written out.
    most_bytes: ClassVar[int] = 100_000_000

    kind: Literal["http"]
    base_url: Address
    model: str = ""
    question_prompt: str = ""
    passage_prompt: str = ""
    texts_per_call: PositiveInt = 32

    def limits(self) -> Limits:
        return Limits(self.texts_per_call, tokens=300_000)

    def prompts(self) -> tuple[str, str]:
        return self.question_prompt, self.passage_prompt

    def encoders(self) -> tuple[Encode, Encode]:
        encode = partial(_vectors, self.endpoint("embedder"), self)
        return encode, encode


def _vectors(
    endpoint: Endpoint, settings: HttpEmbedderSettings, inputs: Sequence[str], dimension: int | None
) -> list[Floats]:
    import numpy as np

    body: dict[str, object] = {"input": list(inputs)}
    if settings.model:
        body["model"] = settings.model
    if settings.dimensions:
        body["dimensions"] = settings.dimensions
    reply = endpoint.post_patiently("/embeddings", body)
    try:
        items = _Reply.model_validate(reply).data
    except ValidationError:
        raise endpoint.nonsense("no vectors under `data`", reply) from None
    found = [(item.index, np.asarray(item.embedding, np.float32)) for item in items]
    return in_order(endpoint.account, found, len(inputs), dimension)


class _Item(BaseModel):
    index: Annotated[int, Field(strict=True, ge=0)]
    embedding: list[Annotated[float, Field(allow_inf_nan=False)]]


class _Reply(BaseModel):
    data: list[_Item]
