"""Where a reranker fails, the next of the list scores, and the scores say so."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from rag.errors import ModelError, ProtocolError, ServiceError, TransientError
from rag.protocols import Reranker
from rag.second_stage.guards.layers import unread
from rag.types import NOBODY, Candidate, Question, RerankerCard, Scores

_log = logging.getLogger(__name__)


class Fallback:
    """A permanent refusal (a wrong key, no quota) needs somebody to act: it is raised unless `permanent`."""

    def __init__(self, rerankers: Sequence[Reranker], permanent: bool) -> None:
        self._rerankers = tuple(rerankers)
        self._permanent = permanent

    @property
    def card(self) -> RerankerCard:
        return self._rerankers[0].card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        failures: list[str] = []
        for reranker in self._rerankers[:-1]:
            try:
                return _told(_named(reranker, question, candidates), failures)
            except (ServiceError, ModelError) as error:
                if not (self._permanent or isinstance(error, TransientError | ProtocolError)):
                    raise
                _log.info("reranker %s failed: %s", reranker.card.kind, error)
                failures.append(str(error))
            if question.until is not None and time.monotonic() >= question.until:
                # No time for another.
                return replace(_told(unread(candidates), failures), status="late")
        return _told(_named(self._rerankers[-1], question, candidates), failures)


def _named(reranker: Reranker, question: Question, candidates: Sequence[Candidate]) -> Scores:
    scores = reranker.score(question, candidates)
    # Whoever looks at these scores asked another: they carry their scorer's name.
    return replace(scores, scorers=(reranker.card,)) if not scores.scorers else scores


def _told(scores: Scores, failures: Sequence[str]) -> Scores:
    if not failures:
        return scores
    status = "degraded" if scores.status == "ok" else scores.status
    reasons = [*failures, scores.reason or _stand_in(scores)]
    return replace(scores, status=status, reason="; ".join(filter(None, reasons)))


def _stand_in(scores: Scores) -> str:
    scorer = scores.scorers[0]
    if scorer == NOBODY:
        return "the first stage's order stands"
    return f"{scorer.kind} {scorer.model}".rstrip() + " scored instead"
