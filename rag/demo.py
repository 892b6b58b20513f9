"""The demo: the handbook that comes with rag, in an index of its own."""

from __future__ import annotations

import os
from pathlib import Path

from rag.api import Rag
from rag.ingest import Progress, silent
from rag.settings import Settings
from rag.shipped import handbook
from rag.stores.chroma import EmbeddedStoreSettings
from rag.types import IngestReport, LedgerRow, Trace

STORE = Path(".rag/demo")
QUESTIONS = (
    "How do I reset the tracker?",
    "At what wind gust do we have to close Dome 1?",
    "G1 refuses to start during a blackout. "
    "Which two breakers do I open before I throw the change-over switch?",
)
UNANSWERABLE = "Who won the chess world championship in 1985?"


def prepare(progress: Progress = silent, store: Path = STORE) -> tuple[Rag, IngestReport]:
    """The handbook in its index under the working folder: a second time nothing is left to do."""
    # Not as an argument: RAG_STORE__PATH would win over it, and the handbook land in the user's own index.
    rag = Rag(Settings.load().model_copy(update={"store": EmbeddedStoreSettings(path=store)}))
    folder = handbook()
    # Sources are named from the handbook's own folder, wherever Python has installed it.
    rag.parts.index.catalog.set_meta(anchor=os.path.relpath(folder.parent, store.resolve()))
    return rag, rag.ingest(folder, prune=True, progress=progress)


def crossings(trace: Trace, top: int) -> list[LedgerRow]:
    """The candidates that reranking brought into the first `top`, then those that it sent away."""
    rows = sorted(trace.ledger, key=lambda row: row.rerank_rank)
    return [row for row in rows if (row.fused_rank <= top) != (row.rerank_rank <= top)]
