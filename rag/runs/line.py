"""A line of answers.jsonl: what `rag.contract` says of a question's answer, or the error it ended in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rag.contract import UsedPassage, to_json
from rag.types import AnswerState, Citation, Trace

_NO_TRACE = Trace()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question got no answer: the class of the error, and what it says."""

    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """`text` and what belongs to it are None after a search alone. `error`: the question failed."""

    id: str
    question: str
    found: bool = False
    state: AnswerState | None = None
    confidence: float | None = None
    text: str | None = None
    notice: str | None = None
    citations: tuple[Citation, ...] | None = None
    passages: tuple[UsedPassage, ...] = ()
    trace: Trace = _NO_TRACE
    error: Failure | None = None

    @classmethod
    def of(cls, id_: str, document: Mapping[str, Any]) -> AnswerLine:
        """`document`: an answer, the result of a search, or an error, as `rag.contract` has it."""
        return _adapter().validate_python({**document, "id": id_})

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> AnswerLine | None:
        """None where it is no such line."""
        try:
            return cls.of(document["_id"], document)
        except (KeyError, ValidationError):
            return None

    @property
    def makeshift(self) -> bool:
        """Whether a stand-in ranked, or the reranker had no time for all."""
        return self.trace.rerank is not None and self.trace.rerank.status in ("late", "degraded")

    @property
    def ms(self) -> float:
        return sum(stage.ms for stage in self.trace.stages)

    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        whole = to_json(self)
        names = ("question", "error") if self.error else [name for name in whole if whole[name] is not None]
        return {"_id": self.id, **{name: whole[name] for name in names if name != "id"}}


@cache
def _adapter() -> TypeAdapter[AnswerLine]:
    return TypeAdapter(AnswerLine)
