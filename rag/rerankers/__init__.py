"""Rerankers. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.rerankers.cohere import CohereRerankerSettings
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.http import HttpRerankerSettings
from rag.rerankers.jina import JinaSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.rerankers.llm import LlmSettings
from rag.rerankers.none import NoneSettings
from rag.rerankers.together import TogetherSettings
from rag.rerankers.voyage import VoyageSettings

AnyRerankerSettings = Annotated[
    LateInteractionSettings
    | CrossEncoderSettings
    | CohereRerankerSettings
    | VoyageSettings
    | JinaSettings
    | TogetherSettings
    | HttpRerankerSettings
    | LlmSettings
    | NoneSettings,
    Field(discriminator="kind"),
]
