"""Retrieve, rerank, answer: with citations, offline by default.

from rag import Rag, ask

print(ask("How do I reset the tracker?", config="configs/handbook.yaml").text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.api import AsyncRag, Rag, ask
    from rag.errors import (
        ConfigError,
        InputError,
        LockedError,
        ModelError,
        ProtocolError,
        RagError,
        ServiceError,
        StoreError,
        TransientError,
    )
    from rag.feedback import Feedback
    from rag.settings import Settings
    from rag.types import Answer, Citation, Document, IngestReport, Passage, SearchResult

__version__ = "0.1.0"

_HOMES = {
    "rag.api": ("AsyncRag", "Rag", "ask"),
    "rag.feedback": ("Feedback",),
    "rag.settings": ("Settings",),
    "rag.types": ("Answer", "Citation", "Document", "IngestReport", "Passage", "SearchResult"),
    "rag.errors": (
        "ConfigError",
        "InputError",
        "LockedError",
        "ModelError",
        "ProtocolError",
        "RagError",
        "ServiceError",
        "StoreError",
        "TransientError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "AsyncRag",
    "Citation",
    "ConfigError",
    "Document",
    "Feedback",
    "IngestReport",
    "InputError",
    "LockedError",
    "ModelError",
    "Passage",
    "ProtocolError",
    "Rag",
    "RagError",
    "SearchResult",
    "ServiceError",
    "Settings",
    "StoreError",
    "TransientError",
    "ask",
]


def __getattr__(name: str) -> Any:
    """Names are imported when they are used: `import rag` costs nothing."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
