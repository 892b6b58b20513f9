"""A Chroma server is a service like the others: it cannot hang, flood, leak or crash whoever asks it."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr
from support.servers.chroma_server import chroma_serving
from support.servers.raw_server import NEVER_ENDING, TOO_LARGE, saying
from support.stored import chunks, vectors

from rag.errors import StoreError
from rag.stores.chroma import ChromaIndex, CloudStoreSettings, ServerStoreSettings

TOKEN = "chr-5e1f0c9a7b-secret"
_SECONDS = 0.3
_LATEST_S = 2.0


def at(address: str, timeout_s: float = 20.0) -> ServerStoreSettings:
    host, _, port = address.partition(":")
    return ServerStoreSettings(
        kind="server", host=host, port=int(port), token=SecretStr(TOKEN), timeout_s=timeout_s
    )


@pytest.fixture(scope="module", autouse=True)
def _chroma_is_imported() -> None:
    """It takes longer than any call here may."""
    import chromadb.api.client  # noqa: F401


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "way", ["headers that drip", *(pytest.param(way, marks=SLOW) for way in NEVER_ENDING)]
)
def test_a_reply_that_never_ends_ends_the_call_in_time(way: str) -> None:
    with saying(NEVER_ENDING[way]) as address:
        began = time.monotonic()
        with pytest.raises(StoreError, match="did not answer in time") as caught:
            at(address, _SECONDS).build().open("family", 1)
        assert time.monotonic() - began < _LATEST_S
        assert "store.timeout_s" in str(caught.value)


@pytest.mark.parametrize("way", [pytest.param("an endless body", marks=SLOW), "what unpacks to 50 MB"])
def test_a_reply_that_is_too_large_is_not_read_to_its_end(way: str) -> None:
    with saying(TOO_LARGE[way]) as address, pytest.raises(StoreError, match=r"more than|compressed"):
        at(address).build().open("family", 1)


# --- replies ----------------------------------------------------------------------------------------

_HERE = {"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]}
_COLLECTION = {
    "id": "0e8f2a54-6d0d-4a67-9f4c-2f0a3f1b8a11",
    "name": "rag-family-1",
    "configuration_json": {"hnsw": {"space": "cosine"}},
    "metadata": {"made_by": "rag"},
    "dimension": 8,
    "tenant": "default_tenant",
    "database": "default_database",
    "version": 0,
    "log_position": 0,
}
_GOOD: dict[str, object] = {
    "identity": _HERE,
    "default_tenant": {"name": "default_tenant"},
    "default_database": {"id": _COLLECTION["id"], "name": "default_database", "tenant": "default_tenant"},
    "collections": _COLLECTION,
    "pre-flight-checks": {"max_batch_size": 100},
    "query": {"ids": [["id1"]], "distances": [[0.25]]},
    "count": 3,
}


class Answering:
    """A server of Chroma's shape, but for what is spoilt: by the last part of its path, status and body."""

    def __init__(self) -> None:
        self.spoilt: dict[str, tuple[int, object]] = {}
        self.address = ""

    def reply(self, path: str) -> tuple[int, bytes]:
        name = path.rstrip("/").rpartition("/")[2].partition("?")[0]
        status, body = self.spoilt.get(name, (200, _GOOD.get(name)))
        return status, body.encode() if isinstance(body, str) else json.dumps(body).encode()

    @contextmanager
    def serving(self) -> Iterator[None]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                status, content = outer.reply(self.path)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads, server.block_on_close = True, False
            self.address = f"127.0.0.1:{server.server_address[1]}"
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            try:
                yield
            finally:
                server.shutdown()


@pytest.fixture(scope="module")
def _answering() -> Iterator[tuple[Answering, ChromaIndex]]:
    server = Answering()
    with server.serving():
        yield server, at(server.address).build().open("family", 1)


@pytest.fixture
def server(_answering: tuple[Answering, ChromaIndex]) -> Answering:
    _answering[0].spoilt = {}
    return _answering[0]


@pytest.fixture
def index(server: Answering, _answering: tuple[Answering, ChromaIndex]) -> ChromaIndex:
    """Opened while all was well."""
    return _answering[1]


def ask(index: ChromaIndex) -> None:
    assert index.count() == 3
    assert [hit.score for hit in index.search(vectors(1, 8)[0], 5)] == [0.75]


def reopen(server: Answering) -> None:
    at(server.address).build().open("family", 1)


def test_the_shape_is_chromas(index: ChromaIndex) -> None:
    ask(index)


_ECHO = f"no \x1b[2J\x9b \u202e for Bearer {TOKEN}"
ECHOES: dict[str, object] = {
    "text": _ECHO,
    "a kind of error that Chroma knows": {"error": "InternalError", "message": _ECHO},
    "one that it does not know": {"error": "Strange", "message": _ECHO},
}


def check_clean(error: StoreError) -> None:
    assert TOKEN not in str(error) + repr(error.__cause__) + "".join(traceback.format_exception(error))
    assert str(error).isprintable()


@pytest.mark.parametrize("status", [401, 403, 500])
@pytest.mark.parametrize("body", ECHOES)
def test_an_error_that_echoes_the_token_shows_neither_it_nor_what_steers_a_terminal(
    server: Answering, index: ChromaIndex, status: int, body: str
) -> None:
    server.spoilt["query"] = (status, ECHOES[body])
    with pytest.raises(StoreError, match="Chroma could not search") as caught:
        index.search(vectors(1, 8)[0], 5)
    check_clean(caught.value)


@pytest.mark.parametrize("name", ["identity", "collections"])
def test_nor_does_one_at_the_beginning(server: Answering, name: str) -> None:
    server.spoilt[name] = (401, _ECHO)
    with pytest.raises(StoreError, match="RAG_STORE__TOKEN") as caught:
        reopen(server)
    check_clean(caught.value)


SPOILT: dict[str, tuple[str, object]] = {
    "no JSON": ("query", "<html>"),
    "nothing": ("query", ""),
    "null": ("query", None),
    "a list": ("query", [1]),
    "deep": ("query", "[" * 100_000),
    "no ids": ("query", {"ids": [], "distances": []}),
    "fewer distances than ids": ("query", {"ids": [["a", "b"]], "distances": [[0.1]]}),
    "a distance that is text": ("query", {"ids": [["a"]], "distances": [["near"]]}),
    "a distance that is null": ("query", {"ids": [["a"]], "distances": [[None]]}),
    "a count that is text": ("count", "three"),
    "a count that is null": ("count", None),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_reply_of_another_shape_is_a_store_error(server: Answering, index: ChromaIndex, fault: str) -> None:
    name, body = SPOILT[fault]
    server.spoilt[name] = (200, body)
    with pytest.raises(StoreError, match="Chroma could not"):
        ask(index)


@pytest.mark.parametrize(
    ("name", "body"),
    [("collections", {"id": 5}), ("pre-flight-checks", {"max_batch_size": "many"}), ("identity", [])],
)
def test_so_is_one_at_the_beginning(server: Answering, name: str, body: object) -> None:
    server.spoilt[name] = (200, body)
    with pytest.raises(StoreError, match="Chroma could not open the collection"):
        reopen(server)


def test_a_server_that_takes_nothing_at_once_is_told_of(server: Answering) -> None:
    server.spoilt["pre-flight-checks"] = (200, {"max_batch_size": 0})
    server.spoilt["get"] = (200, {"ids": [], "metadatas": []})
    opened = at(server.address).build().open("family", 1)
    with pytest.raises(StoreError, match="maximum batch size"):
        opened.add(chunks(2), vectors(2, 8))


def test_the_cloud_is_asked_as_chromas_own_client_asks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMA_API_KEY", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    settings = CloudStoreSettings(kind="cloud", tenant="t", database="d", timeout_s=_SECONDS)
    with pytest.raises(StoreError, match=r"Chroma Cloud.*CHROMA_API_KEY"):
        settings.build().open("family", 1)


@pytest.mark.slow
def test_a_real_server_that_is_stopped_in_the_middle_is_waited_for_no_longer(tmp_path: Path) -> None:
    with chroma_serving(tmp_path) as (port, process):
        index = at(f"127.0.0.1:{port}", 1.0).build().open("family", 1)
        index.add(chunks(3), vectors(3))
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # the signal is only on its way yet
        began = time.monotonic()
        with pytest.raises(StoreError, match="did not answer in time"):
            index.search(vectors(1)[0], 3)
        assert time.monotonic() - began < 1.0 + _LATEST_S
        os.kill(process.pid, signal.SIGCONT)
        assert len(index.search(vectors(1)[0], 3)) == 3
