"""What all hosted services share: which address, whose key, and how a refusal is told.

An SDK has dozens of exceptions; a caller needs to know three things: may the same call succeed
later (TransientError), did the service break its contract (ProtocolError), or must somebody
change something (ServiceError, with the remedy). No message ever holds the key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import SecretStr, StringConstraints

from rag.errors import ConfigError, ProtocolError, ServiceError, TransientError

if TYPE_CHECKING:
    import openai

Address = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s/]+")]

_LONGEST_MESSAGE = 300
_PASSING = frozenset({408, 409, 429, 499})
_REMEDIES = {
    401: "Check the key in {names}",
    403: "The key in {names} may not do this: check its rights and the model's name",
    404: "Check the model's name and base_url",
    413: "Send less at once",
    429: "Wait, or ask for a higher rate limit",
    498: "Check the key in {names}",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who is asked, and with which key from where. It stays out of repr and of every message."""

    provider: str
    key: SecretStr
    names: str

    def failure(self, message: str, status: int | None = None, *, permanent: bool = False) -> ServiceError:
        """The error for a refusal: transient where the same call may succeed later."""
        passing = status is None or status in _PASSING or status >= 500
        kind = TransientError if passing and not permanent else ServiceError
        return kind(self._tell(message, status), provider=self.provider, status=status)

    def nonsense(self, message: str) -> ProtocolError:
        """The error for an answer that is not in the shape that the contract promises."""
        return ProtocolError(self._tell(f"answered against its contract: {message}"), provider=self.provider)

    def _tell(self, message: str, status: int | None = None) -> str:
        said = " ".join(message.replace(self.key.get_secret_value(), "[key]").split())
        if len(said) > _LONGEST_MESSAGE:
            said = f"{said[:_LONGEST_MESSAGE]}…"
        told = (
            f"{self.provider} refused with status {status}: {said}" if status else f"{self.provider} {said}"
        )
        remedy = _REMEDIES.get(status or 0, "").format(names=self.names)
        return f"{told.rstrip('.')}. {remedy}." if remedy else told


def find_key(given: SecretStr | None, names: Sequence[str]) -> SecretStr | None:
    """The key from the settings, else from the first of these environment variables that is set."""
    found = given.get_secret_value() if given else next(filter(None, map(os.environ.get, names)), "")
    key = found.strip()
    # The HTTP client would quote the whole key in its complaint about the header.
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"The key in {' or '.join(names)} holds characters that no key has.")
    return SecretStr(key) if key else None


def open_account(
    provider: str, given: SecretStr | None, names: Sequence[str], *, keyless: bool = False
) -> Account:
    """`names` are the variables in which the key may stand; a keyless server ignores what it is sent."""
    key = find_key(given, names)
    if key is None and not keyless:
        raise ConfigError(f"{provider} needs a key: set {' or '.join(names)} in the environment.")
    return Account(provider, key or SecretStr("no-key-given"), " or ".join(names))


# --- OpenAI and whatever speaks its protocol -----------------------------------------------

OPENAI_URL = "https://api.openai.com/v1"


def openai_account(section: str, key: SecretStr | None, base_url: str | None) -> Account:
    names = ("OPENAI_API_KEY", f"RAG_{section}__API_KEY")
    if base_url is None:
        return open_account("OpenAI", key, names)
    host = urlsplit(base_url).netloc.rpartition("@")[2]
    return open_account(f"The OpenAI-compatible server at {host}", key, names, keyless=True)


def openai_client(account: Account, base_url: str | None, timeout_s: float, retries: int) -> openai.OpenAI:
    import openai  # 0.3 s and more that nobody without this part should wait for

    # Always with an address: without one the SDK obeys OPENAI_BASE_URL, unseen by the settings.
    return openai.OpenAI(
        api_key=account.key.get_secret_value(),
        base_url=base_url or OPENAI_URL,
        timeout=timeout_s,
        max_retries=retries,
    )


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
        raise account.failure(error.message, _status(error), permanent=quota) from error
    except ValueError as error:  # JSON that is none, base64 that is none
        raise account.nonsense(str(error)) from error


def _status(error: openai.APIError) -> int | None:
    """A stream that breaks after its 200 tells the status, if at all, in the error's code."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    return int(error.code) if error.code and error.code.isdecimal() else None
