"""Vectors from OpenAI's embedding models, or from any server that speaks the same protocol."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, PositiveInt, TypeAdapter

from rag.embedders.hosted import Encode, HostedEmbedderSettings, Limits, in_order
from rag.parts import OpenAIConnection
from rag.services.openai import OpenAIClient

if TYPE_CHECKING:
    import openai

    from rag.types import Floats


class OpenAIEmbedderSettings(HostedEmbedderSettings, OpenAIConnection, frozen=True):
    # 2,048 vectors of 3,072 dimensions in base64, or a few hundred of them written out.
    most_bytes: ClassVar[int] = 100_000_000
    known: ClassVar[Mapping[str, int]] = {
        "text-embedding-3-small": 1536,
        "text-embedding-3-large": 3072,
        "text-embedding-ada-002": 1536,
    }

    kind: Literal["openai"]
    model: str = "text-embedding-3-small"
    question_prompt: str = ""
    passage_prompt: str = ""
    window: PositiveInt = 8191

    def limits(self) -> Limits:
        return Limits(inputs=2048, tokens=300_000)

    def prompts(self) -> tuple[str, str]:
        return self.question_prompt, self.passage_prompt

    def encoders(self) -> tuple[Encode, Encode]:
        encode = partial(_vectors, self.client("embedder"), self)
        return encode, encode


def _vectors(
    client: OpenAIClient, settings: OpenAIEmbedderSettings, inputs: Sequence[str], dimension: int | None
) -> list[Floats]:
    def ask(sdk: openai.OpenAI) -> list[tuple[int, Floats]]:
        response: object = sdk.embeddings.create(
            model=settings.model,
            input=list(inputs),
            # Asked for by name, the SDK leaves it encoded: a quarter of the bytes, no list of floats.
            encoding_format="base64",
            extra_body={"dimensions": settings.dimensions} if settings.dimensions else None,
        )
        answer = TypeAdapter(_Answer).validate_python(response, from_attributes=True)
        return [(item.index, _decode(item.embedding)) for item in answer.data]

    return in_order(client.account, client.ask(ask), len(inputs), dimension)


class _Item(BaseModel):
    index: int
    embedding: str | list[float]


class _Answer(BaseModel):
    data: list[_Item]


def _decode(embedding: str | list[float]) -> Floats:
    """Base64 of little-endian floats; servers that do not know it send a list."""
    import numpy as np

    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
