"""Everything that can go wrong, one sentence each.

RagError
├── ConfigError          a setting is missing, misspelt or contradicts another
├── InputError           a question, path or filter that cannot be used as given
├── StoreError           the index on disk does not fit the settings or is damaged
│   └── LockedError      another process is writing to the index
├── ModelError           a local model cannot be loaded or returned nonsense
└── ServiceError         a hosted service refused, failed or answered nonsense
    ├── TransientError   … and the same call may succeed later (429, 5xx, connection, timeout)
    └── ProtocolError    … it answered, but not in the shape its contract promises
"""

from __future__ import annotations


class RagError(Exception):
    """Base of every error that this package raises on purpose.

    >>> try:
    ...     Rag().ask("")
    ... except RagError as error:
    ...     print(error)
    the question is empty: ask in words
    """


class ConfigError(RagError):
    """A setting is missing, misspelt or contradicts another.

    >>> Settings.load("absent.yaml")
    Traceback (most recent call last):
    rag.errors.ConfigError: config absent.yaml cannot be read: No such file or directory
    """


class InputError(RagError):
    """A question, path or filter that cannot be used as given.

    >>> Rag().why("Where?", "absent.md")
    Traceback (most recent call last):
    rag.errors.InputError: 'absent.md' is not in the index: `rag status --sources` lists what is
    """


class StoreError(RagError):
    """The index on disk does not fit the settings, is damaged, or was never made.

    >>> Rag.open(Settings(store={"path": "nowhere"}))
    Traceback (most recent call last):
    rag.errors.StoreError: there is no index in nowhere: `rag ingest FOLDER` makes one
    """


class LockedError(StoreError):
    """Another process is writing to the index.

    >>> issubclass(LockedError, StoreError)
    True
    """


class ModelError(RagError):
    """A local model cannot be loaded or returned nonsense.

    >>> issubclass(ModelError, RagError)
    True
    """


class ServiceError(RagError):
    """A hosted service refused, failed or answered nonsense.

    >>> raise ServiceError("the quota is used up", provider="cohere", status=402, hopeless=True)
    Traceback (most recent call last):
    rag.errors.ServiceError: the quota is used up

    hopeless: every other question would be refused as well (key, rights, model, quota).
    retry_after: seconds after which the service wants to be asked again.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        status: int | None = None,
        hopeless: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.hopeless = hopeless
        self.retry_after = retry_after


class TransientError(ServiceError):
    """The service failed in a way that may pass: 429, 5xx, connection, timeout.

    >>> issubclass(TransientError, ServiceError)
    True
    """


class ProtocolError(ServiceError):
    """The service answered, but not in the shape its contract promises.

    >>> issubclass(ProtocolError, ServiceError)
    True
    """
