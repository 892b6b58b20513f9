"""First stages. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.retrievers.knowledgesdk import KnowledgeSdkSettings
from rag.retrievers.own_index import OwnIndexSettings

AnyRetrieverSettings = Annotated[OwnIndexSettings | KnowledgeSdkSettings, Field(discriminator="kind")]
