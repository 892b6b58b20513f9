"""No answer comes late: what is scored by the deadline counts, what is not keeps its first-stage order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rag.errors import ProtocolError, TransientError
from rag.protocols import Reranker
from rag.second_stage.guards.layers import Layer, layered, unread
from rag.threads.gathering import Gathering
from rag.types import Candidate, Question, RerankerCard, Scores


class Deadline:
    """Sets the time by which the stage has to be over; whatever is inside keeps to it."""

    def __init__(self, inner: Reranker, deadline_ms: int) -> None:
        self._inner = inner
        self._seconds = deadline_ms / 1000

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        return self._inner.score(replace(question, until=time.monotonic() + self._seconds), candidates)


class Batches:
    """Asks in calls of `size` candidates, `parallel` at the same time, and waits until the time is over.

    A call that hangs is abandoned. A score does not depend on the other candidates of its call, so
    the calls' scores are those of one call; a listwise reranker has no size.
    """

    def __init__(self, inner: Reranker, size: int | None, parallel: int) -> None:
        self._inner = inner
        self._size = size
        self._parallel = parallel

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        if question.until is not None and time.monotonic() >= question.until:
            # Not even begun: a call that nobody waits for would still be paid.
            reason = _lateness(0, len(candidates), self.card, None)
            return replace(unread(candidates), status="late", reason=reason)
        size = self._size or len(candidates)
        calls = [range(at, min(at + size, len(candidates))) for at in range(0, len(candidates), size)]
        if question.until is None and len(calls) == 1:
            return self._inner.score(question, candidates)
        jobs = [partial(self._inner.score, question, [candidates[i] for i in places]) for places in calls]
        found, error = Gathering(jobs, self._parallel).results(question.until)
        late = question.until is not None and time.monotonic() >= question.until
        if error is not None and not (late and isinstance(error, TransientError | ProtocolError)):
            raise error
        scores = layered(
            [Layer(self.card, calls[call], scores) for call, scores in sorted(found.items())], candidates
        )
        if len(found) == len(calls):
            return scores
        read = sum(len(calls[call]) for call in found)
        return replace(scores, status="late", reason=_lateness(read, len(candidates), self.card, error))


def _lateness(read: int, asked: int, card: RerankerCard, error: Exception | None) -> str:
    told = f"{card.kind} was late, {read} of {asked} scored"
    return f"{told}; {error}" if error else told
