"""Embedders. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.embedders.cohere import CohereEmbedderSettings
from rag.embedders.http import HttpEmbedderSettings
from rag.embedders.openai import OpenAIEmbedderSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings

AnyEmbedderSettings = Annotated[
    SentenceTransformersSettings | OpenAIEmbedderSettings | CohereEmbedderSettings | HttpEmbedderSettings,
    Field(discriminator="kind"),
]
