"""All services that rerank, embed or search over HTTP, each by its own contract, and every way to fail.

One provider is one prefix: `{url}/voyage/v1` is Voyage's base_url. Raw sockets: a server that resets
or drips cannot be had from a framework.
"""

from __future__ import annotations

import base64
import json
import math
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal

from support.servers.cohere_server import overlap
from support.servers.loopback import KEY, Json, Refused, only_known
from support.servers.openai_server import embedding

_HANGS_AT_MOST_S = 20.0
_DRIPS_EVERY_S = 0.02
_HUGE = 50_000_000


@dataclass(frozen=True)
class Call:
    """What was asked, of whom."""

    provider: str
    path: str
    body: Json
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Say:
    """An answer of this status, body (text as it stands, else JSON) and headers."""

    status: int
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """The right answer, spoilt on its way. `drip`: a byte now and then. `cut`: less than was announced."""

    how: Literal["hang", "hang-mid-body", "reset", "drip", "cut", "truncated", "huge", "compressed"]


@dataclass(frozen=True)
class Edit:
    """The right answer, changed."""

    change: Callable[[Any], object]


Step = Say | Break | Edit


class RerankServer:
    """With a certificate and its key it speaks HTTPS."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.url = ""
        self._certificate = certificate
        self._key = key
        self.calls: list[Call] = []
        self.always: Step | None = None
        self._script: deque[Step | None] = deque()
        self._lock = Lock()
        self._released = Event()

    def plan(self, *steps: Step | None) -> None:
        """What the next calls meet, in order; None behaves. Then `always`, else the server behaves again."""
        with self._lock:
            self._script.extend(steps)

    def reset(self) -> None:
        self._released.set()
        with self._lock:
            self._released = Event()
            self.calls = []
            self.always = None
            self._script.clear()

    def asked(self) -> list[Json]:
        return [call.body for call in self.calls]

    @contextmanager
    def serving(self) -> Iterator[None]:
        outer = self

        class Handler(_Handler):
            server_of = outer

        httpd = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate, self._key)
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            self._released.set()
            httpd.shutdown()
            httpd.server_close()

    def next_step(self, call: Call) -> tuple[Step | None, Event]:
        with self._lock:
            self.calls.append(call)
            return (self._script.popleft() if self._script else self.always), self._released


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of: RerankServer

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        provider, path = re.match(r"(?:https?://[^/]+)?/([^/]+)(/.*)", self.path).groups()  # type: ignore[union-attr]  # every path has a prefix
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(provider, path, json.loads(raw), headers)
        step, released = self.server_of.next_step(call)
        try:
            status, answer = 200, respond(call)
        except Refused as refused:
            status, answer = refused.status, _errors(provider, refused)
        if isinstance(step, Say):
            self._send(step.status, step.body, step.headers)
        elif isinstance(step, Break):
            self._break(step.how, json.dumps(answer).encode(), released)
        else:
            self._send(status, step.change(answer) if step else answer, {"x-request-id": "req-77"})

    def _send(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self._head(status, len(content), headers)
        self.wfile.write(content)

    def _head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _break(self, how: str, content: bytes, released: Event) -> None:
        self.close_connection = True
        if how == "hang":
            released.wait(_HANGS_AT_MOST_S)
        elif how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif how == "truncated":
            self._head(200, len(content) // 2)
            self.wfile.write(content[: len(content) // 2])
        elif how == "compressed":
            self._head(200, len(content), {"content-encoding": "gzip"})
            self.wfile.write(content)
        elif how == "huge":
            self._head(200, _HUGE)
            with suppress(OSError):
                for _ in range(_HUGE // 100_000):
                    self.wfile.write(b" " * 100_000)
        else:
            self._head(200, len(content))
            self.wfile.write(content[:5])
            self.wfile.flush()
            if how == "hang-mid-body":
                released.wait(_HANGS_AT_MOST_S)
            if how == "drip":
                self._drip(content[5:], released)

    def _drip(self, content: bytes, released: Event) -> None:
        with suppress(OSError):
            for byte in content:
                if released.wait(_DRIPS_EVERY_S):
                    return
                self.wfile.write(bytes([byte]))
                self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


# --- the contracts -------------------------------------------------------------------------


def respond(call: Call) -> object:
    contract, keyless = _CONTRACTS[call.provider, call.path]
    if not keyless or "authorization" in call.headers:
        _check_key(call)
    return contract(call.body)


def _check_key(call: Call) -> None:
    given = call.headers.get("x-api-key") or call.headers.get("authorization", "").removeprefix("Bearer ")
    if given != KEY:
        raise Refused(401, f"invalid key {given}", "invalid_api_key")


def _errors(provider: str, refused: Refused) -> object:
    if provider in ("voyage", "jina"):
        return {"detail": refused.message}
    if provider == "cohere":
        return {"id": "a1b2", "message": refused.message}
    if provider == "knowledge":
        return {"statusCode": refused.status, "error": "Refused", "message": refused.message}
    if provider == "tei":
        return {"error": refused.message, "error_type": "Validation"}
    return {"error": {"message": refused.message, "type": "invalid_request_error", "code": refused.code}}


def _documents(body: Json, name: str, most: int, status: int = 400) -> list[str]:
    documents = body.get(name)
    if not isinstance(body.get("query"), str) or not body["query"].strip():
        raise Refused(status, "query must not be empty")
    if not isinstance(documents, list) or not documents:
        raise Refused(status, f"{name} must be a list that is not empty")
    if len(documents) > most:
        raise Refused(status, f"at most {most} {name}, not {len(documents)}")
    return documents


def _model(body: Json) -> str:
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused(400, "model is required")
    return str(body["model"])


def _ranked(scores: Sequence[float], name: str = "relevance_score") -> list[Json]:
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return [{"index": index, name: scores[index]} for index in order]


def _scores(body: Json, documents: Sequence[str]) -> list[float]:
    return [overlap(body["query"], document) for document in documents]


def _cohere(body: Json) -> object:
    only_known(body, ("model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"), 422)
    _model(body)
    scores = _scores(body, _strings(_documents(body, "documents", 1000)))
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": -(-len(scores) // 100)}}
    return {"id": "a1b2", "results": _ranked(scores), "meta": meta}


def _voyage(body: Json) -> object:
    only_known(body, ("model", "query", "documents", "top_k", "return_documents", "truncation"), 400)
    documents = _strings(_documents(body, "documents", 1000))
    tokens = sum(len(text) // 4 for text in documents) + len(documents) * (len(body["query"]) // 4)
    if tokens > 600_000:
        raise Refused(400, "more than 600000 tokens")
    data = _ranked(_scores(body, documents))[: body.get("top_k")]
    return {"object": "list", "data": data, "model": _model(body), "usage": {"total_tokens": tokens}}


def _jina(body: Json) -> object:
    only_known(body, ("model", "query", "documents", "top_n", "return_documents", "truncation"), 422)
    documents = _strings(_documents(body, "documents", 2048))
    results = _ranked(_scores(body, documents))[: body.get("top_n")]
    if body.get("return_documents", True):
        results = [{**row, "document": {"text": documents[row["index"]]}} for row in results]
    return {"model": _model(body), "object": "list", "usage": {"total_tokens": 7}, "results": results}


def _together(body: Json) -> object:
    only_known(body, ("model", "query", "documents", "top_n", "return_documents", "rank_fields"), 400)
    documents = _documents(body, "documents", 1024)
    names = body.get("rank_fields")
    if names is not None and not all(isinstance(d, dict) and set(names) <= set(d) for d in documents):
        raise Refused(400, "rank_fields must be fields of every document")
    read = ["\n".join(d[name] for name in names or d) if isinstance(d, dict) else d for d in documents]
    scores = [0.3 * score for score in _scores(body, _strings(read))]
    usage = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}
    return {"object": "rerank", "id": "t1", "model": _model(body), "results": _ranked(scores), "usage": usage}


def _infinity(body: Json) -> object:
    only_known(body, ("model", "query", "documents", "top_n", "return_documents", "raw_scores"), 422)
    scores = _scores(body, _strings(_documents(body, "documents", 2048, 422)))
    return {
        "object": "rerank",
        "id": "i1",
        "model": "m",
        "usage": {"total_tokens": 3},
        "results": _ranked(scores),
    }


def _tei(body: Json) -> object:
    known = ("query", "texts", "truncate", "truncation_direction", "raw_scores", "return_text")
    only_known(body, known, 422)
    scores = _scores(body, _strings(_documents(body, "texts", 32, 413)))
    if body.get("raw_scores"):
        scores = [logit(score) for score in scores]
    return _ranked(scores, "score")


def _llamacpp(body: Json) -> object:
    documents = _strings(_documents(body, "documents", 10_000))
    if any(len(body["query"]) + len(text) > 3 * 512 for text in documents):
        raise Refused(500, "input is too large to process. increase the physical batch size")
    return {"model": "m", "object": "list", "results": _ranked([logit(s) for s in _scores(body, documents)])}


def logit(score: float) -> float:
    return 20 * score - 10


def _strings(documents: Sequence[object]) -> list[str]:
    if not all(isinstance(document, str) and document for document in documents):
        raise Refused(422, "documents must be strings")
    return [str(document) for document in documents]


_CHAT = (
    *("model", "messages", "temperature", "max_tokens", "max_completion_tokens"),
    *("response_format", "logprobs", "top_logprobs", "stream"),
)


def _chat(body: Json) -> object:
    only_known(body, _CHAT, 400)
    asked = json.loads(body["messages"][1]["content"])
    usage = {"usage": {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}}
    if body.get("logprobs"):
        return _completion("Yes", _chances(overlap(asked["question"], asked["passage"]))) | usage
    grades = [
        {"index": p["index"], "grade": round(100 * overlap(asked["question"], p["passage"]))}
        for p in asked["passages"]
    ]
    return _completion(json.dumps({"grades": grades[::-1]})) | usage


def _chances(probability: float) -> Json:
    yes, no = (math.log(max(p, 1e-9)) for p in (probability, 1 - probability))
    top = [{"token": "Yes", "logprob": yes}, {"token": " no", "logprob": no}]
    return {"content": [{"token": "Yes", "logprob": yes, "top_logprobs": top}]}


def _completion(content: str | None, logprobs: Json | None = None) -> Json:
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def said(content: str | None) -> Say:
    """A chat model that says just this."""
    return Say(200, _completion(content))


_EMBED = ("model", "texts", "input_type", "embedding_types", "output_dimension", "truncate", "max_tokens")
_EMBEDDINGS = ("model", "input", "encoding_format", "dimensions", "user")


def _cohere_embed(body: Json) -> object:
    only_known(body, _EMBED, 422)
    if body.get("input_type") not in ("search_document", "search_query"):
        raise Refused(400, "valid input_type must be provided with the provided model")
    texts = body.get("texts") or ()
    if not 0 < len(texts) <= 96 or not all(texts):
        raise Refused(400, "invalid request: total number of texts must be at most 96")
    length = body.get("output_dimension") or 8
    vectors = [embedding(f"{body['input_type']}: {text}", length) for text in texts]
    return {"id": "e1", "embeddings": {"float": vectors}, "texts": texts, "meta": {}}


def _openai_embeddings(body: Json) -> object:
    only_known(body, _EMBEDDINGS, 422)
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given or ()
    if not 0 < len(texts) <= 2048 or not all(texts):
        raise Refused(422, "input must not be empty")
    vectors = [embedding(text, body.get("dimensions") or 8) for text in texts]
    encoded: list[object] = list(vectors)
    if body.get("encoding_format") == "base64":
        encoded = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(encoded)]
    return {
        "object": "list",
        "data": data[::-1],
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


_KNOWLEDGE = (
    ("Domes", "The dome does close when the wind gusts.", "https://example.org/dome"),
    ("Tea", "Tea is served at four.", "https://example.org/tea"),
)


def _knowledge(body: Json) -> object:
    only_known(body, ("query", "limit"), 400)
    if not isinstance(body.get("query"), str) or not 0 < body.get("limit", 10) <= 100:
        raise Refused(400, "query and limit")
    items = [
        {"id": f"k{i}", "title": title, "content": content, "category": "c", "sourceUrl": url}
        for i, (title, content, url) in enumerate(_KNOWLEDGE)
    ]
    return {"results": items[: body["limit"]], "total": 2}


_CONTRACTS: dict[tuple[str, str], tuple[Callable[[Json], object], bool]] = {
    ("cohere", "/v2/rerank"): (_cohere, False),
    ("voyage", "/v1/rerank"): (_voyage, False),
    ("jina", "/v1/rerank"): (_jina, False),
    ("together", "/v1/rerank"): (_together, False),
    ("infinity", "/rerank"): (_infinity, True),
    ("litellm", "/v2/rerank"): (_cohere, False),
    ("tei", "/rerank"): (_tei, True),
    ("llamacpp", "/v1/rerank"): (_llamacpp, True),
    ("openai", "/v1/chat/completions"): (_chat, False),
    ("openai", "/v1/embeddings"): (_openai_embeddings, False),
    ("infinity", "/embeddings"): (_openai_embeddings, True),
    ("cohere", "/v2/embed"): (_cohere_embed, False),
    ("knowledge", "/v1/search"): (_knowledge, False),
}
