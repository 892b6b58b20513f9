"""What the settings of every part say of it, so that nobody need know which kind stands in a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, SecretStr

from rag.models.local_model import LocalModel
from rag.protocols import SpannedEncoder, TokenSource
from rag.services.account import Account, Address, KeyPlaces, Variable, host_of, open_account
from rag.services.http import MOST_BYTES, Endpoint
from rag.services.openai import OPENAI_URL, OpenAIClient, is_openai

# What a system can wait for, and anybody would.
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Tries = Annotated[int, Field(ge=0, le=20)]
# As many as an index is ever asked for at a time.
Passages = Annotated[int, Field(gt=0, le=100_000)]


@dataclass(frozen=True, slots=True)
class HostedModel:
    """A model that a service runs. `provider` is its name in a table of prices."""

    name: str
    host: str
    provider: str


class PartSettings(BaseModel, frozen=True, extra="forbid"):
    """A part that runs here and has no model, unless its kind says otherwise."""

    kind: str

    def sends_to(self) -> str:
        """The host that gets what passes through this part; empty where nothing leaves this machine."""
        return ""

    def hosted_model(self) -> HostedModel | None:
        """The model that a service runs for it."""
        return None

    def local_model(self, tokens: LocalModel) -> LocalModel | None:
        """The model that this machine runs for it. `tokens` is the one whose token vectors are compared."""
        return None


@dataclass(frozen=True, slots=True)
class Parts:
    """What others lend to a reranker or a generator, and its place in the config.

    tokens: where ingest kept token bits. encoder: makes token vectors where it did not.
    """

    tokens: TokenSource
    encoder: Callable[[], SpannedEncoder]
    place: str = "reranker"


class Connection(PartSettings, frozen=True):
    """How a part reaches its service.

    address: the provider's own. variables: where the provider's users keep its key. server: what one at
    another address is called.
    """

    provider: ClassVar[str]
    address: ClassVar[str] = ""
    variables: ClassVar[tuple[str, ...]] = ()
    server: ClassVar[str] = ""
    key_header: ClassVar[str] = "Authorization"
    most_bytes: ClassVar[int] = MOST_BYTES

    base_url: Address | None = None
    api_key: SecretStr | None = None
    key_env: Variable | None = None
    timeout_s: Seconds = 60.0
    retries: Tries = 2

    def url(self) -> str:
        return self.base_url or self.address

    def sends_to(self) -> str:
        return host_of(self.url())

    def is_provider(self) -> bool:
        """Whether the provider itself is asked: no other host is sent the key in its usual variables."""
        return self.sends_to() == host_of(self.address)

    def needs_key(self) -> bool:
        """A server that ignores keys is asked without one; one that wants a key says so in its refusal."""
        return not self.server or self.is_provider()

    def account(self, place: str) -> Account:
        """`place`: where in the config these settings stand. A remedy names what helps there."""
        name = self.provider if self.needs_key() else f"{self.server} at {self.sends_to()}"
        usual = self.variables if self.is_provider() else ()
        places = KeyPlaces(self.api_key, place, self.key_env, usual)
        return open_account(name, places, keyless=not self.needs_key())

    def endpoint(self, place: str) -> Endpoint:
        return Endpoint(
            self.account(place),
            self.url(),
            self.timeout_s,
            self.retries,
            key_header=self.key_header,
            most_bytes=self.most_bytes,
        )


class ModelConnection(Connection, frozen=True):
    """To a service that runs a model."""

    model: str

    def hosted_model(self) -> HostedModel:
        return HostedModel(self.model, self.sends_to(), self.provider.lower())


class OpenAIConnection(ModelConnection, frozen=True):
    """OpenAI, or any server that speaks its protocol."""

    provider: ClassVar[str] = "OpenAI"
    address: ClassVar[str] = OPENAI_URL
    variables: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)
    server: ClassVar[str] = "The OpenAI-compatible server"

    def is_provider(self) -> bool:
        return is_openai(self.url())

    def client(self, place: str) -> OpenAIClient:
        return OpenAIClient(
            self.account(place), self.url(), self.timeout_s, self.retries, self.longest_reply()
        )

    def longest_reply(self) -> int:
        """In bytes."""
        return self.most_bytes

    def answer_limit(self, tokens: int) -> dict[str, object]:
        """OpenAI retired `max_tokens` for its newer models; other servers often know nothing else."""
        return {"max_completion_tokens" if self.is_provider() else "max_tokens": tokens}
