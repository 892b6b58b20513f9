"""Shared by all tests: the real bi-encoder and one real index of the handbook, each made once."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory

import pytest
from support.places import HANDBOOK

from rag import Rag, Settings
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder, SentenceTransformersSettings

pytest_plugins = ["support.servers.fixtures", "support.commands", "support.collection"]

# Before any model library is imported: it reads this once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Compiled models of the tests' own, for the processes that tests start too.
_cache = TemporaryDirectory(prefix="rag-cache-")
os.environ["XDG_CACHE_HOME"] = _cache.name
# What a user's own folders remember stays out of tests, and theirs out of it.
os.environ["XDG_STATE_HOME"] = os.environ["XDG_DATA_HOME"] = _cache.name


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No RAG_* variable or key of whoever runs the tests reaches them."""
    for name in os.environ:
        if name.startswith("RAG_") or name in (
            "OPENAI_API_KEY",
            "CO_API_KEY",
            "COHERE_API_KEY",
            "VOYAGE_API_KEY",
            "JINA_API_KEY",
            "TOGETHER_API_KEY",
            "KNOWLEDGESDK_API_KEY",
            "CHROMA_API_KEY",
        ):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def embedder() -> SentenceTransformersEmbedder:
    return SentenceTransformersSettings().build()


@pytest.fixture(scope="session")
def handbook_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An index of the handbook. Tests only read it."""
    path = tmp_path_factory.mktemp("handbook") / "index"
    settings = Settings(store={"kind": "embedded", "path": path})  # type: ignore[arg-type]  # pydantic validates
    Rag(settings).ingest(HANDBOOK)
    return settings


@pytest.fixture(scope="session")
def handbook(handbook_settings: Settings) -> Rag:
    return Rag.open(handbook_settings)
