"""Scores from any server that reranks over HTTP: Infinity, TEI, vLLM, llama.cpp, LiteLLM and their kin.

Scores leave here as logits, whatever the server gives, so that one calibration reads them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, PositiveInt, TypeAdapter

from rag.calibration import Transform, log_odds
from rag.errors import InputError
from rag.parts import Parts
from rag.rerankers.base import CallStyle
from rag.rerankers.hosted import HostedReranker, HostedSettings, Index, Ranked, Score, ranked, texts
from rag.services.account import Address
from rag.services.http import Endpoint
from rag.types import Candidate, Chunk, Question, RerankerCard, Scores

Shape = Literal["cohere", "jina", "tei", "llamacpp"]

# Fewer bytes a token than prose has: what is cut by it fits.
_BYTES_A_TOKEN = 3
_LEAST_BYTES = 96
_NEAREST_TO_CERTAIN = 1e-7


@dataclass(frozen=True, slots=True)
class _Habits:
    """What is peculiar to a server of this shape unless the config says otherwise."""

    documents_per_call: int
    scores: Literal["probability", "logit"]
    window: int | None = None


_HABITS: dict[Shape, _Habits] = {
    "cohere": _Habits(1000, "probability"),
    "jina": _Habits(1000, "probability"),
    "tei": _Habits(32, "logit"),  # asked for by raw_scores; 32 texts a call unless it was started otherwise
    "llamacpp": _Habits(1000, "logit", window=512),  # a longer pair is an error, unless -ub was raised
}


class HttpRerankerSettings(HostedSettings, frozen=True):
    """`base_url` is all before `/rerank`. scores: what the server answers; unset, by its shape.
    window: tokens of question and passage that the server can read; what is longer is cut."""

    provider: ClassVar[str] = "http"
    server: ClassVar[str] = "The reranking server"
    transform: ClassVar[Transform] = "identity"

    kind: Literal["http"]
    base_url: Address
    shape: Shape = "jina"
    model: str = ""
    scores: Literal["probability", "logit"] | None = None
    window: PositiveInt | None = None
    documents_per_call: PositiveInt | None = None  # type: ignore[assignment]  # unset, by the shape

    def call_style(self) -> CallStyle:
        size = self.documents_per_call or _HABITS[self.shape].documents_per_call
        return replace(super().call_style(), size=size)

    def build(self, parts: Parts) -> HttpReranker:
        return HttpReranker(self, self.endpoint(parts.place), parts.place)

    def body(self, question: str, documents: Sequence[str]) -> dict[str, object]:
        if self.shape == "tei":
            return {"query": question, "texts": list(documents), "truncate": True, "raw_scores": True}
        body: dict[str, object] = {"query": question, "documents": list(documents)}
        if self.model:
            body["model"] = self.model
        if self.shape == "jina":
            body |= {"top_n": len(documents), "return_documents": False}
        return body

    def ranked(self, place: str, reply: Any) -> Ranked:
        if self.shape == "tei":
            rows = _TEI_REPLY.validate_python(reply)
            found = Ranked([(row.index, row.score) for row in rows])
        else:
            found = ranked(reply)
        if (self.scores or _HABITS[self.shape].scores) == "probability":
            found = replace(found, results=[(i, _logit(score, place)) for i, score in found.results])
        return found

    def room(self, question: str, place: str) -> int | None:
        """Bytes of a passage that the window leaves beside the question; None: the server sees to it."""
        window = self.window or _HABITS[self.shape].window
        if window is None:
            return None
        room = window * _BYTES_A_TOKEN - len(question.encode())
        if room < _LEAST_BYTES:
            raise InputError(
                f"the question is too long for {place}.window {window}: ask in fewer words, or start the "
                f"server with a larger one (llama.cpp: -ub) and set {place}.window to it"
            )
        return room


class HttpReranker:
    def __init__(self, settings: HttpRerankerSettings, endpoint: Endpoint, place: str) -> None:
        self.card = RerankerCard("http", settings.model)
        self._settings = settings
        self._endpoint = endpoint
        self._place = place

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        room = self._settings.room(question.text, self._place)
        cut = 0

        def body(asked: str, chunks: Sequence[Chunk]) -> dict[str, object]:
            nonlocal cut
            whole = texts(chunks, self._settings.fields)
            fitted = [_head(text, room) for text in whole]
            cut = sum(len(kept) < len(text) for kept, text in zip(fitted, whole, strict=True))
            return self._settings.body(asked, fitted)

        ranked = partial(self._settings.ranked, self._place)
        hosted = HostedReranker(self.card, self._endpoint, "/rerank", body, ranked)
        scores = hosted.score(question, candidates)
        return replace(scores, truncated=cut)


def _head(text: str, room: int | None) -> str:
    return text if room is None else text.encode()[:room].decode("utf-8", "ignore")


def _logit(probability: float, place: str) -> float:
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"the score {probability:g} is no probability: set {place}.scores to logit")
    return log_odds(probability, _NEAREST_TO_CERTAIN)


class _TeiRow(BaseModel):
    index: Index
    score: Score


_TEI_REPLY: TypeAdapter[list[_TeiRow]] = TypeAdapter(Annotated[list[_TeiRow], "a bare list"])
