"""A server of bare sockets that never answers as it should: it hangs, drips, or says too much."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
_CHUNKS = _OK + b"transfer-encoding: chunked\r\n\r\n"
_DRIPS_EVERY_S = 0.01


@dataclass(frozen=True)
class Says:
    """`first` at once, then `again` for ever, with a pause or as quickly as it is read. `reads`: whether it
    takes what it is sent."""

    first: bytes = b""
    again: bytes = b""
    every_s: float = 0.0
    reads: bool = True


def drip(first: bytes, again: bytes) -> Says:
    return Says(first, again, _DRIPS_EVERY_S)


def _bomb() -> Says:
    packed = gzip.compress(bytes(50_000_000))
    return Says(_OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)


PIECE = b'data: {"choices": [{"index": 0, "delta": {"content": "again "}}]}\n\n'
NEVER_ENDING = {
    "silence": Says(),
    "half a status line": Says(b"HTTP/1."),
    "headers that drip": drip(_OK + b"x-hint: ", b"a"),
    "early hints for ever": drip(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    "early hints as fast as can be": Says(again=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "chunks that drip": drip(_CHUNKS, b"1\r\n \r\n"),
    "a body that drips": drip(_OK + b"content-length: 1000000\r\n\r\n", b" "),
    "a stream of remarks": drip(_EVENTS, b": still thinking\n\n"),
}
TOO_LARGE = {
    "an endless body": Says(_OK + b"\r\n", b" " * 65_536),
    "endless chunks": Says(_CHUNKS, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "an endless line of a stream": Says(_EVENTS + b"data: ", b"a" * 65_536),
    "endless pieces of a stream": Says(_EVENTS, b": remark\n\n" * 6_000),
    "what unpacks to 50 MB": _bomb(),
}


@contextmanager
def saying(says: Says) -> Iterator[str]:
    """The address of a server that says this to everybody."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_accept, args=(listening, says, over), daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, says: Says, over: Event) -> None:
    with suppress(OSError):
        while not over.is_set():
            connection, _ = listening.accept()
            Thread(target=_talk, args=(connection, says, over), daemon=True).start()


def _talk(connection: socket.socket, says: Says, over: Event) -> None:
    with suppress(OSError), connection:
        connection.settimeout(5)
        if says.reads:
            connection.recv(65_536)
        connection.sendall(says.first)
        while says.again and not over.wait(says.every_s):
            connection.sendall(says.again)
        over.wait(20)
