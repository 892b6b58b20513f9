"""A POST of JSON to a service, and all that may come back instead of an answer.

A reply is untrusted: its time and size are bounded (bounds.py), its shape is checked here. Redirects are
not followed: the key would go with them. Proxies and certificates are those of the environment (HTTPS_PROXY,
NO_PROXY, SSL_CERT_FILE).
"""

from __future__ import annotations

import json
import math
import time
import weakref
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError, ServiceError
from rag.services.account import NO_KEY, Account
from rag.services.bounds import Bounds, bounded, guard
from rag.services.retry import patiently

if TYPE_CHECKING:
    import ssl

    import httpx

# A thousand scores are 100 kB; nobody who ranks has more to say.
MOST_BYTES = 8_000_000
# Whoever waits for the call gives up first, so that "late" is told as late and not as a failure.
_GRACE_S = 0.25
_LEAST_S = 0.001
_REQUEST_IDS = ("x-request-id", "request-id", "x-trace-id", "cf-ray")


def remaining(until: float | None, most: float) -> float:
    """Seconds for a call that is allowed `most` and is of no use after `until`."""
    if until is None:
        return most
    return max(min(most, until - time.monotonic() + _GRACE_S), _LEAST_S)


def open_client(timeout_s: float) -> httpx.Client:
    """A client that keeps to the bounds of its caller."""
    import httpx  # 0.1 s: only where a config names a service

    try:
        client = httpx.Client(
            verify=certificates(),
            timeout=timeout_s,
            follow_redirects=False,
        )
    except (ImportError, ValueError, OSError) as error:
        raise ConfigError(
            f"the environment's proxy or certificates cannot be used ({error}): look at HTTPS_PROXY, "
            "HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        ) from error
    guard(client)
    return client


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Those of the environment (SSL_CERT_FILE, SSL_CERT_DIR), else certifi's: 20 ms, read once a process."""
    import httpx

    return httpx.create_ssl_context()


class Endpoint:
    """One service at one address, asked with one key."""

    def __init__(
        self,
        account: Account,
        base_url: str,
        timeout_s: float,
        retries: int = 0,
        *,
        key_header: str = "Authorization",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.account = account
        self._url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._retries = retries
        self._key_header = key_header
        self._most_bytes = most_bytes
        self._client = open_client(timeout_s)
        weakref.finalize(self, self._client.close)  # connections would else stay open until collected

    def post(self, path: str, body: Mapping[str, object], until: float | None = None) -> Any:
        """The reply's JSON; everything else is an error of ours."""
        with bounded(self.account, Bounds(remaining(until, self._timeout_s), self._most_bytes)):
            return self._read(self._send(path, body))

    def _send(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        import httpx

        account = self.account
        try:
            return self._client.post(
                self._url + path,
                # Half a character, which a damaged file can hold, is no UTF-8.
                content=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
                headers=self._headers(),
            )
        except httpx.TimeoutException as error:
            raise account.failure("did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise account.failure(f"cannot be reached: {error or type(error).__name__}") from error
        except ValueError as error:
            raise account.nonsense(str(error)) from error

    def post_patiently(self, path: str, body: Mapping[str, object]) -> Any:
        """Tries a failure that may pass again."""
        return patiently(lambda: self.post(path, body), self._retries)

    def nonsense(self, message: str, reply: object) -> ServiceError:
        """The error for JSON of the wrong shape; the id that the service gave it, if any, helps it search."""
        if not isinstance(reply, dict):
            return self.account.nonsense(message)
        name, said = reply.get("id"), next(filter(None, map(reply.get, ("error", "detail", "message"))), None)
        told = f"{message}; it says: {_read_reason({'error': said})[0]}" if said else message
        return self.account.nonsense(told, name if isinstance(name, str) else "")

    def _headers(self) -> dict[str, str]:
        key = self.account.key.get_secret_value()
        plain = {"content-type": "application/json"}
        if key == NO_KEY:
            return plain
        return plain | {self._key_header: f"Bearer {key}" if self._key_header == "Authorization" else key}

    def _read(self, response: httpx.Response) -> Any:
        request = next(filter(None, map(response.headers.get, _REQUEST_IDS)), "")
        if response.is_redirect:
            raise self.account.failure(
                f"it redirects to {response.headers['location']}, which is not followed: set base_url to it",
                response.status_code,
                request=request,
            )
        if not response.is_success:
            raise _refusal(self.account, response, request)
        try:
            return _parse(response.content)
        except (ValueError, RecursionError) as error:
            start = self.account.without_key(response.text)[:80] or "nothing"
            raise self.account.nonsense(f"what came is not JSON: {start}", request) from error


def _refusal(account: Account, response: httpx.Response, request: str) -> ServiceError:
    try:
        body = _parse(response.content)
    except (ValueError, RecursionError):
        body = response.text
    message, code = _read_reason(body)
    # llama.cpp's answer to a pair beyond its batch: it would be the same tomorrow.
    too_large = "too large to process" in message
    return account.failure(
        message or response.reason_phrase or "no reason given",
        response.status_code,
        permanent=too_large,
        quota="insufficient_quota" in code,
        remedy="Make smaller chunks, or start the server with a larger batch (-ub)" if too_large else "",
        retry_after=retry_after(response.headers),
        request=request,
    )


def _read_reason(body: object) -> tuple[str, str]:
    """What the provider says, and its codes, in any of the shapes that are about."""
    if not isinstance(body, dict):
        return str(body), ""
    inner = body.get("error")
    if isinstance(inner, dict):
        return _read_reason(inner)
    message = body.get("message") or body.get("detail") or inner or body
    return str(message), f"{body.get('type')} {body.get('code')}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, by any of the three spellings; None where nothing sensible stands there."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            seconds = float(milliseconds) / 1000
            return max(seconds, 0.0) if math.isfinite(seconds) else None
        given = headers.get("retry-after")
        if given is None:
            return None
        if given.strip().replace(".", "", 1).isdigit():
            return float(given)
        return max(parsedate_to_datetime(given).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _parse(content: bytes) -> Any:
    return json.loads(content, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
