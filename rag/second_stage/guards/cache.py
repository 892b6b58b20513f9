"""Scores that were paid for once, on disk. It holds hashes and numbers: no question, no text, no key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.protocols import Reranker
from rag.second_stage.guards.layers import Layer, layered
from rag.second_stage.score_store import Key, ScoreStore
from rag.types import Candidate, Chunk, Question, RerankerCard, Scores


class Cached:
    """Asks only for what it does not know. A listwise list is known as a whole or not at all.

    What is late, degraded or otherwise not quite the reranker's own is never kept.
    """

    def __init__(
        self,
        inner: Reranker,
        store: ScoreStore,
        identity: str,
        read: Callable[[Chunk], str],
        listwise: bool,
    ) -> None:
        self._inner = inner
        self._store = store
        self._identity = identity
        self._read = read
        self._listwise = listwise

    @property
    def card(self) -> RerankerCard:
        return self._inner.card

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        texts = [self._read(candidate.chunk) for candidate in candidates]
        if self._listwise:
            return self._score_list(question, candidates, self._key(question.text, *texts))
        keys = [self._key(question.text, text) for text in texts]
        known = self._store.get(keys)
        missing = [i for i, key in enumerate(keys) if key not in known]
        if len(missing) == len(candidates):
            return self._asked(question, candidates, keys)
        hits = [i for i, key in enumerate(keys) if key in known]
        cached = Scores(tuple(known[keys[i]][0] for i in hits), cached=len(hits))
        if not missing:
            return replace(cached, cost=0.0)
        new = self._asked(question, [candidates[i] for i in missing], [keys[i] for i in missing])
        both = layered([Layer(self.card, missing, new), Layer(self.card, hits, cached)], candidates)
        return replace(both, status=new.status, reason=new.reason)

    def _score_list(self, question: Question, candidates: Sequence[Candidate], key: Key) -> Scores:
        values = self._store.get([key]).get(key)
        if values is not None and len(values) == len(candidates):
            return Scores(values, cached=len(values), cost=0.0)
        scores = self._inner.score(question, candidates)
        if self._whole(scores):
            self._store.put({key: scores.values})
        return scores

    def _asked(self, question: Question, candidates: Sequence[Candidate], keys: Sequence[Key]) -> Scores:
        scores = self._inner.score(question, candidates)
        if self._whole(scores) and len(scores.values) == len(keys):
            self._store.put({key: (value,) for key, value in zip(keys, scores.values, strict=True)})
        return scores

    def _whole(self, scores: Scores) -> bool:
        scorers = {scores.scorers[scorer] for scorer in scores.by} if scores.scorers else set()
        return scores.status == "ok" and scores.ranks and scorers <= {self.card}

    def _key(self, *parts: str) -> Key:
        said = json.dumps([self._identity, *parts])
        return hashlib.sha256(said.encode()).digest()
