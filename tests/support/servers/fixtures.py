"""The loopback servers as fixtures: started once a run, forgetful between tests."""

from __future__ import annotations

from collections.abc import Iterator

# Imported whole before any test: where a stream left early is collected while cohere imports httpx,
# the OpenAI SDK reaches into the half of it that is there.
import httpx  # noqa: F401
import pytest

from support.servers.cohere_server import CohereServer
from support.servers.openai_server import OpenAIServer
from support.servers.rerank_server import RerankServer


@pytest.fixture(scope="session")
def _openai_serving() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    with server.serving():
        yield server


@pytest.fixture(scope="session")
def _cohere_serving() -> Iterator[CohereServer]:
    server = CohereServer()
    with server.serving():
        yield server


@pytest.fixture(scope="session")
def _rerank_serving() -> Iterator[RerankServer]:
    server = RerankServer()
    with server.serving():
        yield server


@pytest.fixture
def rerank_server(_rerank_serving: RerankServer) -> Iterator[RerankServer]:
    _rerank_serving.reset()
    yield _rerank_serving
    _rerank_serving.reset()  # lets go of those who hang


@pytest.fixture
def openai_server(_openai_serving: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    _openai_serving.reset()
    return _openai_serving


@pytest.fixture
def cohere_server(_cohere_serving: CohereServer, monkeypatch: pytest.MonkeyPatch) -> CohereServer:
    for name in ("CO_API_KEY", "COHERE_API_KEY", "CO_API_URL"):
        monkeypatch.delenv(name, raising=False)
    _cohere_serving.reset()
    return _cohere_serving
