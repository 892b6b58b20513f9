"""Generators. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.generators.extractive import ExtractiveSettings
from rag.generators.openai import OpenAIGeneratorSettings

AnyGeneratorSettings = Annotated[
    ExtractiveSettings | OpenAIGeneratorSettings,
    Field(discriminator="kind"),
]
