"""Chroma elsewhere: a service like the others, with a whole time, a bound of bytes and a masked key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import finalize

from rag.errors import RagError, StoreError
from rag.services.account import Account
from rag.services.bounds import Bounds, bounded, guard

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.config import Settings

# A batch's metadata, or the neighbours of a question: nobody has more to say.
_MOST_BYTES = 50_000_000


class Service:
    """It serves everybody alike: one connection is enough. `remedy`: what to look at where it fails."""

    def __init__(
        self, connect: Callable[[], ClientAPI], account: Account, timeout_s: float, remedy: str
    ) -> None:
        self.connect = cache(connect)
        self._account = account
        self._timeout_s = timeout_s
        self._remedy = remedy

    def close(self, client: ClientAPI) -> None:
        """It stays open for the next one."""

    def check(self) -> None:
        """Its files are the server's."""

    def settle(self) -> None:
        """So is when they are written."""

    def set_aside(self) -> None:
        """Another generation is another collection, whatever became of this one."""

    @contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """What goes wrong meanwhile is one error of ours, without what the client's own would show."""
        try:
            with bounded(self._account, Bounds(self._timeout_s, _MOST_BYTES)):
                yield
        except StoreError:
            raise
        except RagError as error:  # late, or too much
            raise StoreError(f"Chroma could not {doing}: {error} {self._remedy}") from None
        except Exception as error:  # noqa: BLE001  # the client raises bare ones, and stumbles over any reply
            said = self._account.quoted(str(error) or type(error).__name__).rstrip(".")
            remedy = f" ({self._account.provider}). {self._remedy}" if _is_elsewhere(error) else ""
            raise StoreError(f"Chroma could not {doing}: {said}{remedy}") from None


def _is_elsewhere(error: Exception) -> bool:
    """Whether address or key are at fault, and not what was asked."""
    from chromadb.errors import AuthorizationError, ChromaAuthError, ChromaError

    return not isinstance(error, ChromaError) or isinstance(error, ChromaAuthError | AuthorizationError)


def open_client(settings: Settings, tenant: str, database: str) -> ClientAPI:
    from chromadb.api.client import Client

    sessions: list[Any] = []

    class Guarded(Client):
        def get_user_identity(self) -> Any:
            """The first thing that a client asks, before its maker returns it."""
            server: Any = self._server
            sessions.append(server._session)
            guard(server._session)
            return super().get_user_identity()

    settings.chroma_api_impl = "chromadb.api.fastapi.FastAPI"
    try:
        client = Guarded(tenant, database, settings)
    except BaseException:
        for session in sessions:
            session.close()
        raise
    for session in sessions:  # connections would else stay open until collected
        finalize(client, session.close)
    return client
