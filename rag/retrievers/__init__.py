"""First stages that others run; our own index is searched by `rag.retrieval`. A kind is a file and a line."""

from __future__ import annotations

from rag.retrievers.knowledgesdk import KnowledgeSdkSettings

RemoteRetrieverSettings = KnowledgeSdkSettings
