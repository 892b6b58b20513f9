"""The JSON that machines read: what `--json` prints and a run writes. Documented in docs/json.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from rag.answers.citations import uri
from rag.types import Answer, IngestReport, Metadata, Passage, SearchResult


@dataclass(frozen=True, slots=True)
class UsedPassage:
    """A passage that an answer was made from, or that a search found."""

    source: str
    text: str
    relevance: float
    score: float
    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]
    metadata: Metadata
    rank: int
    also: tuple[str, ...] = ()
    uri: str | None = None


def to_json(value: Any, digits: int | None = None) -> Any:
    """A dataclass as an object, under the names of its fields or the `key` in their metadata."""
    if is_dataclass(value):
        return {f.metadata.get("key", f.name): to_json(getattr(value, f.name), digits) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one, digits) for one in value]
    if isinstance(value, float) and digits is not None:
        return round(value, digits)
    return str(value) if isinstance(value, Path) else value


def answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "found": answer.found,
        "state": answer.state,
        "confidence": answer.confidence,
        "text": answer.text,
        "notice": answer.notice,
        "citations": [asdict(citation) for citation in answer.citations],
        "passages": [to_json(_used(passage)) for passage in answer.passages],
        "trace": asdict(answer.trace),
    }


def search_json(result: SearchResult) -> dict[str, Any]:
    return {
        "question": result.question,
        "passages": [to_json(_used(passage)) for passage in result.passages],
        "trace": asdict(result.trace),
    }


def ingest_json(report: IngestReport) -> dict[str, Any]:
    return asdict(report)


def error_json(error: Exception) -> dict[str, Any]:
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def _used(passage: Passage) -> UsedPassage:
    chunk = passage.chunk
    return UsedPassage(
        source=chunk.source,
        text=chunk.text,
        relevance=passage.relevance,
        score=passage.score,
        start=chunk.start,
        end=chunk.end,
        page=chunk.page,
        headings=chunk.headings,
        metadata=chunk.metadata,
        rank=passage.rank,
        also=tuple(passage.candidate.also),
        uri=uri(chunk),
    )
