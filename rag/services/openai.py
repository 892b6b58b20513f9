"""OpenAI's client and its errors, for all who use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from rag.services.account import Account, KeyPlaces, host_of, open_account

if TYPE_CHECKING:
    import httpx2
    import openai

OPENAI_URL = "https://api.openai.com/v1"


def openai_account(
    section: str, key: SecretStr | None, base_url: str | None, key_env: str | None = None
) -> Account:
    own = f"RAG_{section}__API_KEY"
    if base_url is None or host_of(base_url) == host_of(OPENAI_URL):
        return open_account("OpenAI", KeyPlaces(key, own, key_env, ("OPENAI_API_KEY",)))
    provider = f"The OpenAI-compatible server at {host_of(base_url)}"
    return open_account(provider, KeyPlaces(key, own, key_env), keyless=True)


def openai_client(account: Account, base_url: str | None, timeout_s: float, retries: int) -> openai.OpenAI:
    import openai  # 0.3 s and more that nobody without this part should wait for

    # Always with an address: without one the SDK obeys OPENAI_BASE_URL, unseen by the settings.
    return openai.OpenAI(
        api_key=account.key.get_secret_value(),
        base_url=base_url or OPENAI_URL,
        timeout=timeout_s,
        max_retries=retries,
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False, event_hooks={"response": [_spare_an_empty_account]}
        ),
    )


def _spare_an_empty_account(response: httpx2.Response) -> None:
    """The SDK tries every 429 again; this is the header by which a server tells it not to."""
    if response.status_code == 429 and b"insufficient_quota" in response.read():
        response.headers["x-should-retry"] = "false"


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
        raise account.failure(error.message, _status(error), quota=quota) from None
    except ValueError as error:  # JSON that is none, base64 that is none
        raise account.nonsense(str(error)) from error


def _status(error: openai.APIError) -> int | None:
    """A stream that breaks after its 200 tells the status, if at all, in the error's code."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    return int(error.code) if error.code and error.code.isdecimal() else None
