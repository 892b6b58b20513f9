"""The first stage: dense and lexical hits, fused, with what both sides know of every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

import numpy as np

from rag.errors import InputError
from rag.filters import Where
from rag.fusion import reciprocal_rank_fusion
from rag.index import Generation, Index
from rag.readers import in_turn
from rag.types import Candidate, Evidence, Hit, Question, QuestionVectors

Mode = Literal["hybrid", "dense", "lexical"]

# The question's ten best in the whole index: what a good cosine is depends on the question.
_REFERENCE = 10
# Ids of half-ingested passages can crowd a result; so many more are fetched to make up for them.
_MOST_SLACK = 5000
_BUILT_IN_KEYS = ("page", "source")


class IndexRetriever:
    def __init__(self, index: Index, mode: Mode, top_n: int, rrf_k: int) -> None:
        self._index = index
        self._mode = mode
        self._top_n = top_n
        self._rrf_k = rrf_k
        self.name = mode

    def retrieve(self, question: Question, where: Where | None = None) -> Sequence[Candidate]:
        if question.vectors is None:
            raise InputError("the first stage needs the question's vectors")
        vectors = question.vectors
        found = in_turn(
            lambda: self._index.read(
                lambda generation: self._retrieve(question.text, vectors, where, generation)
            )
        )
        if not found and where:
            self._check_keys(where)
        return found

    def _retrieve(
        self, text: str, vectors: QuestionVectors, where: Where | None, generation: Generation
    ) -> list[Candidate]:
        n = self._top_n + min(self._index.catalog.dirty_count(), _MOST_SLACK)
        dense = generation.vectors.search(vectors.vector, n, where) if self._mode != "lexical" else ()
        lexical = generation.lexical.search(text, n, where) if self._mode != "dense" else ()
        standing = self._index.catalog.standing([hit.id for hit in (*dense, *lexical)])
        dense_ids, lexical_ids = (self._visible(hits, standing) for hits in (dense, lexical))
        fused = reciprocal_rank_fusion([dense_ids, lexical_ids], self._rrf_k)[: self._top_n]
        chunks = self._index.catalog.chunks([id_ for id_, _ in fused])
        # An unfiltered search was over the whole index already: its head is the question's reference.
        nearest = dense[:_REFERENCE] if where is None and len(dense) >= _REFERENCE else None
        best = lexical[:1] if where is None and lexical else None
        ids = [id_ for id_, _ in fused]
        evidence = self._evidence(text, vectors, ids, generation, nearest, best, lexical)
        return [
            Candidate(
                chunk=chunks[id_],
                rank=rank,
                fused=score,
                dense_rank=_rank(id_, dense_ids),
                lexical_rank=_rank(id_, lexical_ids),
                evidence=evidence[id_],
            )
            for rank, (id_, score) in enumerate(fused, start=1)
        ]

    def _visible(self, hits: Sequence[Hit], standing: frozenset[str]) -> list[str]:
        """A hit without a row in the catalog is half in or half out of the index."""
        return [hit.id for hit in hits if hit.id in standing][: self._top_n]

    def _evidence(
        self,
        text: str,
        vectors: QuestionVectors,
        ids: Sequence[str],
        generation: Generation,
        nearest: Sequence[Hit] | None,
        best: Sequence[Hit] | None,
        lexical: Sequence[Hit],
    ) -> dict[str, Evidence]:
        """Exact cosine and BM25 of every candidate, whichever side found it, and the question's
        references over the whole index, filtered or not."""
        if not ids:
            return {}
        kept = self._index.catalog.vectors(ids)
        cosines = np.stack([kept[id_] for id_ in ids]) @ vectors.vector
        # The lexical side scored its own hits already.
        bm25 = {hit.id: hit.score for hit in lexical}
        bm25 |= generation.lexical.score(text, [id_ for id_ in ids if id_ not in bm25])
        nearest = nearest or generation.vectors.search(vectors.vector, _REFERENCE)
        best = best or generation.lexical.search(text, 1)
        limit = generation.lexical.limit(text)
        reference = float(np.mean([hit.score for hit in nearest])) if nearest else 0.0
        return {
            id_: Evidence(float(cosine), bm25[id_], reference, best[0].score if best else 0.0, limit)
            for id_, cosine in zip(ids, cosines, strict=True)
        }

    def _check_keys(self, where: Where) -> None:
        """Nothing found may be the truth, but not where the key is misspelt."""
        known = sorted({*self._index.catalog.metadata_keys(), *_BUILT_IN_KEYS})
        for key, _ in where.clauses:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known[:20])}"
                raise InputError(f"no document has the metadata key {key!r}: {hint}")


def _rank(id_: str, ids: Sequence[str]) -> int | None:
    return ids.index(id_) + 1 if id_ in ids else None
