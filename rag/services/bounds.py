"""What a call to a service may take: seconds in all, and bytes that come back.

Both are enforced at the socket. An HTTP library's own timeouts begin anew with every byte, so that headers,
chunks or `103 Early Hints` that drip hold a call for ever; and what an SDK reads, it reads whole. Here every
wait, from the name's resolution to the last byte, gets what is left of the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from rag.services.account import Account
from rag.threads.gathering import Gathering

# Between two of them the clock is looked at: a server may read as slowly as it answers.
_SENT_AT_ONCE = 16_384
# A wait of nothing would be none for ever.
_LEAST_S = 0.001


class Bounds:
    """Of one call. `broken`: what the reply did against them. `late`: how the end of the time is told."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._most_bytes = most_bytes
        self._read = 0
        self.broken = ""

    @property
    def until(self) -> float:
        return self._until

    def begin(self, seconds: float) -> None:
        """The next piece of a stream, which has a time of its own; the bytes are those of all pieces."""
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def left(self, usual: float | None) -> float:
        """Seconds that the next wait may take."""
        if self.are_over():
            raise TimeoutError(self.late)
        seconds = max(self._until - time.monotonic(), _LEAST_S)
        return seconds if usual is None else min(usual, seconds)

    def are_over(self) -> bool:
        return time.monotonic() >= self._until

    @property
    def late(self) -> str:
        return f"did not answer in time ({self._seconds:.3g} s in all)"

    def add(self, size: int) -> None:
        self._read += size
        if self._read > self._most_bytes:
            raise self.refusal(f"more than {self._most_bytes:,} bytes")

    def refusal(self, what: str) -> Exception:
        self.broken = what
        return ValueError(what)


_bounds: ContextVar[Bounds | None] = ContextVar("bounds", default=None)


@contextmanager
def bounded(account: Account, bounds: Bounds) -> Iterator[None]:
    """For all that a guarded client does inside. An SDK may wrap what stopped it as it likes."""
    outer = _bounds.set(bounds)
    try:
        yield
    except Exception as error:
        if bounds.broken:
            raise account.nonsense(bounds.broken) from error
        if bounds.are_over():
            raise account.failure(bounds.late) from error
        raise
    finally:
        _bounds.reset(outer)


def guard(client: Any) -> None:
    """A client of httpx, or of what stands for it in an SDK, keeps to the bounds of whoever calls it."""
    for transport in filter(None, (client._transport, *client._mounts.values())):
        transport._pool._network_backend = _Network(transport._pool._network_backend)
    client.headers["accept-encoding"] = "identity"
    client.event_hooks = {"response": [_refuse_compressed]}


def _refuse_compressed(response: Any) -> None:
    """A few bytes of it may unpack to gigabytes."""
    bounds = _bounds.get()
    if bounds and response.headers.get("content-encoding", "identity") != "identity":
        raise bounds.refusal("a compressed reply, which was not asked for")


class _Network:
    """The way to a server."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        """On a thread: neither a name server that hangs nor a host of many addresses keeps to a timeout."""
        bounds = _bounds.get()
        if bounds is None:
            return _Stream(self._inner.connect_tcp(host, port, timeout, **options))
        connect = partial(self._connect, bounds.until, host, port, bounds.left(timeout), options)
        found, error = Gathering([connect], 1).results(bounds.until)
        if error is not None:
            raise error
        if not found:
            raise TimeoutError(bounds.late)
        return _Stream(found[0])

    def connect_unix_socket(self, path: str, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._inner.connect_unix_socket(path, timeout, **options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)

    def _connect(self, until: float, host: str, port: int, timeout: float, options: dict[str, Any]) -> Any:
        stream = self._inner.connect_tcp(host, port, timeout, **options)
        if time.monotonic() >= until:
            stream.close()  # nobody waits for it any more
        return stream


class _Stream:
    """A connection, in the clear or not. It serves many calls, one after the other."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        bounds = _bounds.get()
        if bounds is None:
            return bytes(self._inner.read(max_bytes, timeout))
        found = bytes(self._inner.read(max_bytes, bounds.left(timeout)))
        bounds.add(len(found))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        bounds = _bounds.get()
        for at in range(0, len(buffer), _SENT_AT_ONCE):
            left = bounds.left(timeout) if bounds else timeout
            self._inner.write(buffer[at : at + _SENT_AT_ONCE], left)

    def start_tls(
        self, ssl_context: Any, server_hostname: Any = None, timeout: float | None = None
    ) -> _Stream:
        bounds = _bounds.get()
        left = bounds.left(timeout) if bounds else timeout
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
