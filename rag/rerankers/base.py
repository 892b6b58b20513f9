"""What every reranker's settings share, and what a reranker may be built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt

from rag.protocols import TokenEncoder, TokenSource

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RerankerSettings(BaseModel, frozen=True, extra="forbid"):
    """`threshold` and `ratio` stand here because they mean nothing apart from the reranker.

    threshold: least relevance of a passage; empty takes the calibration's own.
    ratio: least share of the best passage's relevance.
    fields: what is read, in this order (title, headings, text, source, any metadata key);
        empty reads what the embedder read.
    """

    top_k: PositiveInt = 5
    threshold: Share | None = None
    ratio: Share | None = None
    calibration: Path | None = None
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """`tokens` is where ingest kept token bits; `encoder` makes them where it did not."""

    tokens: TokenSource
    encoder: Callable[[], TokenEncoder]
