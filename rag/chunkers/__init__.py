"""Chunkers. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.chunkers.structure import StructureSettings
from rag.chunkers.whole import WholeSettings

ChunkerSettings = Annotated[StructureSettings | WholeSettings, Field(discriminator="kind")]
