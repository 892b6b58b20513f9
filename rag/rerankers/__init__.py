"""Rerankers. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.rerankers.cohere import CohereRerankerSettings
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.rerankers.none import NoneSettings

AnyRerankerSettings = Annotated[
    LateInteractionSettings | CrossEncoderSettings | CohereRerankerSettings | NoneSettings,
    Field(discriminator="kind"),
]
