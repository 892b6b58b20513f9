"""OpenAI's client and its errors, for all who use it."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from rag.services.account import Account
from rag.services.bounds import Bounds, bounded, guard
from rag.services.http import retry_after
from rag.services.retry import patiently
from rag.services.validation import first_problem

if TYPE_CHECKING:
    import openai

T = TypeVar("T")

OPENAI_URL = "https://api.openai.com/v1"
# Times that of a call.
_LONGEST_STREAM = 10


def is_openai(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")


class OpenAIClient:
    """OpenAI's SDK with one account. What it raises is told as one of our errors."""

    def __init__(self, account: Account, url: str, timeout_s: float, retries: int, most_bytes: int) -> None:
        import openai  # 0.3 s and more that nobody without this part should wait for

        http = openai.DefaultHttpxClient(follow_redirects=False)
        guard(http)
        self.account = account
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._retries = retries
        self._sdk = openai.OpenAI(
            api_key=account.key.get_secret_value(),
            base_url=url,  # else the SDK obeys OPENAI_BASE_URL, unseen by the settings
            timeout=timeout_s,
            max_retries=0,  # its own would try an empty account again
            http_client=http,
        )
        weakref.finalize(self, self._sdk.close)  # connections would else stay open until collected

    def ask(self, call: Callable[[openai.OpenAI], T]) -> T:
        """A failure that may pass is tried again."""
        return patiently(lambda: self._ask(call), self._retries)

    def stream(self, call: Callable[[openai.OpenAI], openai.Stream[T]]) -> Iterator[T]:
        """Each piece has the time of a call, and all together that of ten. The caller's own time between
        two of them does not count."""
        bounds = Bounds(self._timeout_s, self._most_bytes)
        left = self._timeout_s * _LONGEST_STREAM
        with self.ask(call) as chunks:
            while True:
                bounds.begin(min(self._timeout_s, left))
                began = time.monotonic()
                with bounded(self.account, bounds), openai_errors(self.account):
                    chunk = next(chunks, None)
                left -= time.monotonic() - began
                if chunk is None:
                    return
                yield chunk

    def _ask(self, call: Callable[[openai.OpenAI], T]) -> T:
        bounds = Bounds(self._timeout_s, self._most_bytes)
        with bounded(self.account, bounds), openai_errors(self.account):
            return call(self._sdk)


@contextmanager
def openai_errors(account: Account) -> Iterator[None]:
    """All that the SDK may raise, told as one of ours."""
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise account.failure("did not answer in time") from error
    except openai.APIConnectionError as error:
        raise account.failure(f"cannot be reached: {error.__cause__ or error}") from error
    except openai.APIError as error:
        quota = "insufficient_quota" in (error.code, error.type)
        # Its own text shows all that the service said, perhaps the key.
        wait = retry_after(error.response.headers) if isinstance(error, openai.APIStatusError) else None
        raise account.failure(error.message, _status(error), quota=quota, retry_after=wait) from None
    except ValueError as error:  # JSON that is none, base64 that is none
        raise account.nonsense(first_problem(error)) from None
    except (TypeError, AttributeError, RecursionError) as error:  # or of a shape that it stumbles over
        raise account.nonsense(str(error)) from error


def _status(error: openai.APIError) -> int | None:
    """A stream that breaks after its 200 tells the status, if at all, in the error's code."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    # Whatever stood there: the SDK checks nothing.
    code = str(error.code or "")
    return int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None
