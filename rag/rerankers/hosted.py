"""What the settings of every hosted reranker share, and the reading of what such a service answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from rag.errors import InputError
from rag.parts import ModelConnection, Seconds
from rag.rerankers.base import CallStyle, RerankerSettings
from rag.rerankers.fields import reading
from rag.services.http import Endpoint
from rag.services.validation import first_problem
from rag.types import Candidate, Chunk, Question, RerankerCard, Scores

# A score as the contracts have it: no text, no truth value, and finite.
Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Index = Annotated[int, Field(strict=True, ge=0)]


class HostedSettings(RerankerSettings, ModelConnection, frozen=True):
    """documents_per_call: fewer make a deadline's partial result finer, and more calls."""

    timeout_s: Seconds = 10.0
    documents_per_call: PositiveInt = 1000
    parallel: Annotated[int, Field(gt=0, le=256)] = 4

    def call_style(self) -> CallStyle:
        return CallStyle(self.documents_per_call, self.parallel, self.retries, cached=True)


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a service answered, in any order, and what it billed."""

    results: Sequence[tuple[int, float]]
    tokens: int = 0


class Result(BaseModel):
    index: Index
    relevance_score: Score


class Usage(BaseModel):
    total_tokens: NonNegativeInt = 0


class Reply(BaseModel):
    """As most services answer."""

    results: list[Result]
    usage: Usage | None = None

    def ranked(self) -> Ranked:
        tokens = self.usage.total_tokens if self.usage else 0
        return Ranked([(result.index, result.relevance_score) for result in self.results], tokens)


def ranked(reply: Any) -> Ranked:
    return Reply.model_validate(reply).ranked()


class HostedReranker:
    """One call of JSON: `body` makes it, `ranked` reads what comes."""

    def __init__(
        self,
        card: RerankerCard,
        endpoint: Endpoint,
        path: str,
        body: Callable[[str, Sequence[Chunk]], dict[str, object]],
        ranked: Callable[[Any], Ranked],
    ) -> None:
        self.card = card
        self._endpoint = endpoint
        self._path = path
        self._body = body
        self._ranked = ranked

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        if not candidates:
            return Scores(())
        check_question(question)
        body = self._body(question.text, [candidate.chunk for candidate in candidates])
        reply = self._endpoint.post(self._path, body, question.until)
        try:
            ranked = self._ranked(reply)
            values = in_order(ranked.results, len(candidates))
        except ValueError as error:
            raise self._endpoint.nonsense(first_problem(error), reply) from None
        return Scores(values, tokens=ranked.tokens)


def texts(chunks: Sequence[Chunk], fields: Sequence[str] | None) -> list[str]:
    """As services can read it: none takes an empty text, or half a character."""
    return [sent(reading(chunk, fields)) for chunk in chunks]


def sent(text: str) -> str:
    return text.encode("utf-8", "replace").decode().strip() or "-"


def check_question(question: Question) -> None:
    if not question.text.strip():
        raise InputError("An empty question cannot be ranked for.")


def in_order(results: Sequence[tuple[int, float]], count: int) -> tuple[float, ...]:
    """The scores by index: services answer best first, or as they please."""
    by_index = dict(results)
    if len(results) != count or sorted(by_index) != list(range(count)):
        raise ValueError(f"{len(results)} scores for {count} documents, or wrong indexes")
    return tuple(float(by_index[index]) for index in range(count))
