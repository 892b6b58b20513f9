"""What every reranker's settings say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from rag.calibration import Transform
from rag.parts import PartSettings, Passages

Share = Annotated[float, Field(ge=0.0, le=1.0)]

# They decide which passages are used, or how fast and by whose account scores come; not the scores.
_IMMATERIAL = frozenset(
    {
        *("top_k", "threshold", "ratio", "calibration"),
        *("api_key", "key_env", "timeout_s", "retries", "documents_per_call", "parallel"),
        *("batch_tokens", "device", "trusted"),
    }
)


@dataclass(frozen=True, slots=True)
class CallStyle:
    """How a reranker is called.

    size: candidates a call; None reads all at once. parallel: calls at the same time.
    retries: further tries after a failure that may pass. cached: whether its scores are worth keeping.
    listwise: whether a score depends on the other candidates.
    """

    size: int | None = None
    parallel: int = 1
    retries: int = 0
    cached: bool = False
    listwise: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What one question costs: calls, and the units that are billed for them."""

    calls: int
    units: int = 0


class RerankerSettings(PartSettings, frozen=True):
    """`threshold` and `ratio` stand here because they mean nothing apart from the reranker.

    threshold: least relevance of a passage; empty takes the calibration's own.
    ratio: least share of the best passage's relevance.
    fields: what is read, in this order (title, headings, text, source, any metadata key);
        empty reads what the embedder read.
    reads: whether it reads passages at all. transform: how a score is read where nothing was fitted.
    """

    reads: ClassVar[bool] = True
    transform: ClassVar[Transform] = "logit"

    top_k: Passages = 5
    threshold: Share | None = None
    ratio: Share | None = None
    calibration: Path | None = None
    fields: tuple[str, ...] | None = None

    def call_style(self) -> CallStyle:
        return CallStyle()

    def cost(self, candidates: int) -> Cost:
        """For so many candidates, nothing of it cached."""
        return Cost(-(-candidates // (self.call_style().size or max(candidates, 1))))

    def identity(self) -> str:
        """All that decides a score: what the cache is keyed by."""
        return json.dumps(self.model_dump(mode="json", exclude=set(_IMMATERIAL)), sort_keys=True)
