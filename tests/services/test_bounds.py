"""No service holds a call longer than it may take, or makes it read more than it may, whatever it does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter
from support.asked import QUESTION, TEXTS, candidates
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer
from support.servers.raw_server import NEVER_ENDING, PIECE, TOO_LARGE, Says, drip, saying
from support.servers.rerank_server import Break, RerankServer

from rag.embedders import AnyEmbedderSettings
from rag.errors import ProtocolError, ServiceError, TransientError
from rag.generators.openai import OpenAIGeneratorSettings
from rag.parts import Parts
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.voyage import VoyageSettings
from rag.retrievers.knowledgesdk import KnowledgeSdkSettings
from rag.types import Passage

_PARTS = Parts(None, None)  # type: ignore[arg-type]  # no hosted part looks at them
_SECONDS = 0.15
# What a busy machine may add to it.
_LATEST_S = 2.0

PASSAGES = [
    Passage(candidate, 0.5, 0.0, 0.5, rank) for rank, candidate in enumerate(candidates(*TEXTS), start=1)
]
Ask = Callable[[str, float], object]


def _reranker(kind: str, **settings: Any) -> Ask:
    def ask(url: str, seconds: float) -> object:
        adapter: TypeAdapter[AnyRerankerSettings] = TypeAdapter(AnyRerankerSettings)
        given = {"kind": kind, "base_url": url, "api_key": KEY, "timeout_s": seconds, "retries": 0}
        return adapter.validate_python(given | settings).build(_PARTS).score(QUESTION, candidates(*TEXTS))

    return ask


def _embedder(kind: str, **settings: Any) -> Ask:
    def ask(url: str, seconds: float) -> object:
        adapter: TypeAdapter[AnyEmbedderSettings] = TypeAdapter(AnyEmbedderSettings)
        given = {"kind": kind, "base_url": url, "api_key": KEY, "timeout_s": seconds, "retries": 0}
        return adapter.validate_python(given | settings | {"dimensions": 8}).build().embed_question("dome?")

    return ask


def _generator(url: str, seconds: float) -> OpenAIGeneratorSettings:
    return OpenAIGeneratorSettings(
        kind="openai", base_url=url, api_key=SecretStr(KEY), timeout_s=seconds, retries=0
    )


def _write(url: str, seconds: float) -> object:
    return _generator(url, seconds).build().generate(QUESTION, PASSAGES)


def _stream(url: str, seconds: float) -> object:
    return list(_generator(url, seconds).build().stream(QUESTION, PASSAGES))


def _search(url: str, seconds: float) -> object:
    settings = KnowledgeSdkSettings(
        kind="knowledgesdk", base_url=url, api_key=SecretStr(KEY), timeout_s=seconds, retries=0
    )
    return settings.build(lambda: None).retrieve(QUESTION)  # type: ignore[arg-type,return-value]


CALLERS: dict[str, Ask] = {
    "cohere": _reranker("cohere"),
    "voyage": _reranker("voyage"),
    "jina": _reranker("jina"),
    "together": _reranker("together", model="m"),
    "http": _reranker("http"),
    "llm": _reranker("llm"),
    "openai": _write,
    "openai stream": _stream,
    "openai embedder": _embedder("openai"),
    "cohere embedder": _embedder("cohere"),
    "http embedder": _embedder("http"),
    "knowledgesdk": _search,
}


@pytest.fixture(scope="module", autouse=True)
def _sdks_are_imported() -> None:
    """They take longer than any call here may."""
    import cohere  # noqa: F401
    import openai  # noqa: F401


# The others run on the same client, or are let read a hundred megabytes.
FLOODED = ("cohere", "voyage", "openai", "openai stream", "knowledgesdk")


def failures(
    url: str, seconds: float, names: Sequence[str] = tuple(CALLERS)
) -> dict[str, tuple[ServiceError, float]]:
    """What each caller raises, and after how long; all ask at the same time."""

    def ask(name: str) -> tuple[ServiceError, float]:
        began = time.monotonic()
        with pytest.raises(ServiceError) as caught:
            CALLERS[name](url, seconds)
        return caught.value, time.monotonic() - began

    with ThreadPoolExecutor(len(names)) as threads:
        return dict(zip(names, threads.map(ask, names), strict=True))


def check_late(url: str, *names: str) -> None:
    for name, (error, seconds) in failures(url, _SECONDS, names or tuple(CALLERS)).items():
        assert isinstance(error, TransientError), name
        assert "did not answer in time" in str(error), name
        assert seconds < _LATEST_S, name


def usually(ways: Iterable[str], *usual: str) -> list[Any]:
    """The others are slow together: what they try is the same clock."""
    return [way if way in usual else pytest.param(way, marks=pytest.mark.slow) for way in ways]


@pytest.mark.parametrize("way", usually(NEVER_ENDING, "headers that drip", "early hints for ever"))
def test_a_reply_that_never_ends_ends_the_call_in_time(way: str) -> None:
    with saying(NEVER_ENDING[way]) as address:
        check_late(f"http://{address}/v1")


def test_so_does_a_handshake_that_never_ends() -> None:
    with saying(Says()) as address:
        check_late(f"https://{address}/v1")


def test_so_does_a_server_that_takes_no_connection() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listening, ExitStack() as waiting:
        host, port = listening.getsockname()
        for _ in range(3):
            queued = waiting.enter_context(closing(socket.socket()))
            queued.setblocking(False)
            queued.connect_ex((host, port))
        check_late(f"http://{host}:{port}/v1")


def test_so_does_a_name_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, over = socket.getaddrinfo, Event()

    def hang(host: Any, *given: Any, **named: Any) -> Any:
        if host in ("hangs.example", b"hangs.example"):
            over.wait(20)
        return resolve("127.0.0.1", *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        check_late("http://hangs.example:9/v1", "cohere", "voyage", "openai", "openai embedder")
    finally:
        over.set()


def test_so_does_a_server_that_reads_nothing() -> None:
    with saying(Says(reads=False)) as address:
        settings = VoyageSettings(
            kind="voyage", base_url=f"http://{address}", api_key=SecretStr(KEY), timeout_s=_SECONDS
        )
        began = time.monotonic()
        with pytest.raises(TransientError, match="did not answer in time"):
            settings.build(_PARTS).score(QUESTION, candidates("word " * 4_000_000))
        assert time.monotonic() - began < _LATEST_S


@pytest.mark.slow
def test_a_stream_that_never_ends_has_ten_times_the_time_of_a_call() -> None:
    with saying(drip(NEVER_ENDING["a stream of remarks"].first, PIECE)) as address:
        settings = _generator(f"http://{address}/v1", 0.1)
        began = time.monotonic()
        pieces = settings.build().stream(QUESTION, PASSAGES)
        with pytest.raises(TransientError, match="did not answer in time"):
            list(pieces)
        assert 0.9 < time.monotonic() - began < 1.0 + _LATEST_S


def test_the_time_that_a_streams_reader_takes_is_its_own(openai_server: OpenAIServer) -> None:
    pieces = _generator(openai_server.base_url, 0.3).build().stream(QUESTION, PASSAGES)
    next(pieces)
    time.sleep(0.4)
    assert list(pieces)


def test_after_a_call_that_was_late_the_next_one_is_served(rerank_server: RerankServer) -> None:
    rerank_server.plan(Break("hang"))
    settings = VoyageSettings(
        kind="voyage", base_url=f"{rerank_server.url}/voyage/v1", api_key=SecretStr(KEY), timeout_s=_SECONDS
    )
    reranker = settings.build(_PARTS)
    with pytest.raises(TransientError):
        reranker.score(QUESTION, candidates(*TEXTS))
    assert len(reranker.score(QUESTION, candidates(*TEXTS)).values) == len(TEXTS)


@pytest.mark.parametrize("way", usually(TOO_LARGE, "an endless body", "what unpacks to 50 MB"))
def test_a_reply_that_is_too_large_is_not_read_to_its_end(way: str) -> None:
    with saying(TOO_LARGE[way]) as address:
        for name, (error, _) in failures(f"http://{address}/v1", 30.0, FLOODED).items():
            assert isinstance(error, ProtocolError), f"{name}: {error}"
            assert "more than" in str(error) or "compressed" in str(error), name
