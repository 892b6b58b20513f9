"""Where the index lives. The union is the registry: adding a kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.stores.chroma import CloudStoreSettings, EmbeddedStoreSettings, ServerStoreSettings

AnyStoreSettings = Annotated[
    EmbeddedStoreSettings | ServerStoreSettings | CloudStoreSettings,
    Field(discriminator="kind"),
]
