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
    """Base of every error that this package raises on purpose."""


class ConfigError(RagError):
    """A setting is missing, misspelt or contradicts another."""


class InputError(RagError):
    """A question, path or filter that cannot be used as given."""


class StoreError(RagError):
    """The index on disk does not fit the settings or is damaged."""


class LockedError(StoreError):
    """Another process is writing to the index."""


class ModelError(RagError):
    """A local model cannot be loaded or returned nonsense."""


class ServiceError(RagError):
    """A hosted service refused, failed or answered nonsense.

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
    """The service failed in a way that may pass: 429, 5xx, connection, timeout."""


class ProtocolError(ServiceError):
    """The service answered, but not in the shape its contract promises."""
