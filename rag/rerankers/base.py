"""What every reranker's settings share, and what a reranker may be built from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt

from rag.models.local_model import LocalModel
from rag.protocols import TokenEncoder, TokenSource

Share = Annotated[float, Field(ge=0.0, le=1.0)]

# They decide which passages are used, or how fast and by whose account scores come; not the scores.
_IMMATERIAL = frozenset(
    {
        *("top_k", "threshold", "ratio", "calibration"),
        *("api_key", "key_env", "timeout_s", "retries", "documents_per_call", "parallel"),
        *("batch_tokens", "device"),
    }
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a reranker wants to be asked.

    size: candidates a call; None reads all at once. parallel: calls at the same time.
    retries: further tries after a failure that may pass. host: where the text goes, if it leaves.
    cached: whether its scores are worth keeping. listwise: whether a score depends on the others.
    """

    size: int | None = None
    parallel: int = 1
    retries: int = 0
    host: str = ""
    provider: str = ""
    cached: bool = False
    listwise: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What one question costs: calls, and the units that are billed for them."""

    calls: int
    units: int = 0


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

    def manner(self) -> Manner:
        return Manner()

    def reads_with(self, tokens: LocalModel) -> LocalModel | None:
        """The model of this machine that it reads with, if any; `tokens` is whose token vectors are kept."""
        return None

    def demand(self, candidates: int) -> Demand:
        """For so many candidates, nothing of it cached."""
        return Demand(-(-candidates // (self.manner().size or max(candidates, 1))))

    def identity(self) -> str:
        """All that decides a score: what the cache is keyed by."""
        return json.dumps(self.model_dump(mode="json", exclude=set(_IMMATERIAL)), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Parts:
    """`tokens` is where ingest kept token bits; `encoder` makes them where it did not."""

    tokens: TokenSource
    encoder: Callable[[], TokenEncoder]
