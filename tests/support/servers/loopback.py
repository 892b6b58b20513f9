"""A small HTTP server in a thread, which can be told to misbehave and remembers what it was asked."""

from __future__ import annotations

import json
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]

KEY = "test-key-5e1f0c9a7b"
_STOPS_WITHIN_S = 5.0
_HANGS_AT_MOST_S = 20.0


@dataclass(frozen=True)
class Received:
    path: str
    body: Json


@dataclass(frozen=True)
class Fault:
    """What the server answers instead: `body` as JSON or, if a string, as it stands. `hang`: nothing."""

    status: int = 500
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False


class Refused(Exception):
    """The request breaks the contract."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Loopback(ABC):
    """One provider: its routes, its checks, the shape of its errors."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self._script: deque[object] = deque()
        self._stopping = Event()

    @property
    @abstractmethod
    def paths(self) -> Sequence[str]: ...

    @abstractmethod
    def respond(self, path: str, body: Json, planned: object) -> Response:
        """The answer to a request of the right key. `planned` is the next of the script, if any."""

    @abstractmethod
    def error(self, refused: Refused) -> object:
        """The provider's body for an error."""

    @abstractmethod
    def wrong_key(self, given: str) -> Refused: ...

    def plan(self, *answers: object) -> None:
        """What the next requests meet, in order; afterwards the server behaves again."""
        self._script.extend(answers)

    def reset(self) -> None:
        self.requests.clear()
        self._script.clear()

    @contextmanager
    def serving(self) -> Iterator[None]:
        app = Starlette(routes=[Route(path, self._endpoint, methods=["POST"]) for path in self.paths])
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_level="critical",
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            server.should_exit = True
            thread.join(_STOPS_WITHIN_S)
            listening.close()

    async def _endpoint(self, request: Request) -> Response:
        raw = await request.body()
        return await run_in_threadpool(self._handle, request, raw)

    def _handle(self, request: Request, raw: bytes) -> Response:
        try:
            body = self._opened(request, raw)
            planned = self._script.popleft() if self._script else None
            if isinstance(planned, Fault):
                return self._misbehave(planned)
            return self.respond(request.url.path, body, planned)
        except Refused as refused:
            return JSONResponse(self.error(refused), refused.status)

    def _opened(self, request: Request, raw: bytes) -> Json:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key != KEY:
            raise self.wrong_key(key)
        body = json.loads(raw)
        self.requests.append(Received(request.url.path, body))
        return dict(body)

    def _misbehave(self, fault: Fault) -> Response:
        if fault.hang:
            self._stopping.wait(_HANGS_AT_MOST_S)
        if isinstance(fault.body, str):
            return Response(fault.body, fault.status, {"content-type": "application/json", **fault.headers})
        return Response(
            json.dumps(fault.body), fault.status, {"content-type": "application/json", **fault.headers}
        )


def only_known(body: Json, known: Sequence[str], status: int) -> None:
    for name in body:
        if name not in known:
            raise Refused(
                status, f"unknown field: parameter '{name}' is not a valid field", "unknown_parameter"
            )
