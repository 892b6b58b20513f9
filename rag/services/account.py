"""What all hosted services share: which address, whose key, and how a refusal is told.

An SDK has dozens of exceptions; a caller needs to know three things: may the same call succeed
later (TransientError), did the service break its contract (ProtocolError), or must somebody
change something (ServiceError, with the remedy). No message ever holds the key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, StringConstraints

from rag.errors import ConfigError, ProtocolError, ServiceError, TransientError
from rag.shown import in_line

_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")


def _checked_address(text: str) -> str:
    """An address is shown, logged and written into run records: nothing secret may stand in it."""
    if not _ADDRESS.fullmatch(text.strip()):
        raise ValueError(
            "expected an address such as http://host:8000/v1, without name, password or query: "
            "a key belongs into the environment"
        )
    return text.strip()


Address = Annotated[str, AfterValidator(_checked_address)]
Variable = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

_LONGEST_MESSAGE = 300
_LONGEST_ID = 80
NO_KEY = "no-key-given"
MASK = "[key]"
# Providers' keys have 20 characters and more; "ollama" and "EMPTY" are words of good answers too.
_SHORTEST_SECRET = 12
_PASSING = frozenset({408, 409, 425, 429, 499})
# The next question would be refused like this one.
_HOPELESS = frozenset({401, 402, 403, 404, 498})
_QUOTA_REMEDY = "Check the account's credit and billing"
_REMEDIES = {
    401: "Check the key in {names}",
    403: "The key in {names} may not do this: check its rights and the model's name",
    402: "Check the account's credit and billing",
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

    def failure(
        self,
        message: str,
        status: int | None = None,
        *,
        permanent: bool = False,
        quota: bool = False,
        remedy: str = "",
        retry_after: float | None = None,
        request: str = "",
    ) -> ServiceError:
        """The error for a refusal: transient where the same call may succeed later.

        quota: the account is empty, which waiting does not mend.
        """
        passing = status is None or status in _PASSING or status >= 500
        kind = TransientError if passing and not permanent and not quota else ServiceError
        return kind(
            self._tell(message, status, request, _QUOTA_REMEDY if quota else remedy),
            provider=self.provider,
            status=status,
            hopeless=quota or status in _HOPELESS,
            retry_after=retry_after,
        )

    def nonsense(self, message: str, request: str = "") -> ProtocolError:
        """The error for an answer that is not in the shape that the contract promises."""
        told = self._tell(f"answered against its contract: {message}", request=request)
        return ProtocolError(told, provider=self.provider)

    def _tell(self, message: str, status: int | None = None, request: str = "", remedy: str = "") -> str:
        said = self.quoted(message)
        told = (
            f"{self.provider} refused with status {status}: {said}" if status else f"{self.provider} {said}"
        )
        if request:
            told = f"{told.rstrip('.')} (request {in_line(self.without_key(request))[:_LONGEST_ID]})"
        remedy = remedy or _REMEDIES.get(status or 0, "").format(names=self.names)
        return f"{told.rstrip('.')}. {remedy}." if remedy else told

    def quoted(self, message: str) -> str:
        """What a service says, as it can stand in an error."""
        said = in_line(" ".join(self.without_key(message).split()))
        return said if len(said) <= _LONGEST_MESSAGE else f"{said[:_LONGEST_MESSAGE]}…"

    def without_key(self, text: str) -> str:
        """Of a refusal: whatever stands for a key, be it a placeholder that is a word, is masked."""
        return text.replace(self.key.get_secret_value(), MASK)

    def masked(self, text: str) -> str:
        """Of a good reply, which may well hold a word that a server of one's own was given for a key."""
        return self.without_key(text) if self._is_secret() else text

    def mask(self) -> StreamedMask:
        return StreamedMask(self.key.get_secret_value() if self._is_secret() else "")

    def _is_secret(self) -> bool:
        key = self.key.get_secret_value()
        return len(key) >= _SHORTEST_SECRET and key != NO_KEY


class StreamedMask:
    """The same for text that comes in pieces, of which none need hold the whole key."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown by now: the end may be the beginning of the key."""
        text = (self._held + piece).replace(self._key, MASK) if self._key else piece
        longest = min(len(self._key) - 1, len(text))
        kept = next((n for n in range(longest, 0, -1) if self._key.startswith(text[-n:])), 0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> str:
        held, self._held = self._held, ""
        return held


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """Where a part's key may stand, in the order in which it is looked for.

    given: in the part's own settings, which only a variable of a section can set. place: where in the
    config the part stands. named: a variable that the config names. usual: the provider's own variables,
    looked at only where the provider itself is asked: its key is nobody else's business.
    """

    given: SecretStr | None
    place: str
    named: str | None = None
    usual: tuple[str, ...] = ()

    def names(self) -> str:
        """The variables that may hold the key. What stands in a list has none of its own."""
        if self.named:
            return self.named
        own = () if "[" in self.place else (f"RAG_{self.place}__API_KEY".upper(),)
        return " or ".join((*self.usual, *own)) or f"the variable that key_env of {self.place} names"

    def remedy(self) -> str:
        if self.named:
            return f"set {self.named} in the environment"
        by_name = f"name the variable that holds it in key_env of {self.place}"
        return (
            by_name if "key_env" in self.names() else f"set {self.names()} in the environment, or {by_name}"
        )

    def find(self) -> SecretStr | None:
        variables = (self.named,) if self.named else self.usual
        found = self.given.get_secret_value() if self.given else _first_set(variables)
        key = found.strip()
        # The HTTP client would quote the whole key in its complaint about the header.
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"The key in {self.names()} holds characters that no key has.")
        return SecretStr(key) if key else None


def _first_set(variables: Sequence[str]) -> str:
    return next(filter(None, map(os.environ.get, variables)), "")


def open_account(provider: str, places: KeyPlaces, *, keyless: bool = False) -> Account:
    """A keyless server ignores what it is sent; one that wants a key says so in its refusal."""
    key, names = places.find(), places.names()
    if key is None and not keyless:
        raise ConfigError(f"{provider} needs a key: {places.remedy()}.")
    return Account(provider, key or SecretStr(NO_KEY), names)


def without_password(text: str) -> str:
    """An address with a name and password in it, made fit to be shown."""
    shown = re.sub(r"(?<=://)[^/@\s]*@", "***@", text)
    return re.sub(r"(?<=://)([^?\s'\"]*)\?[^\s'\"]*", r"\1?***", shown)


def host_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
