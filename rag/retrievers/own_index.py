"""The first stage: dense and lexical hits, fused, with what both sides know of every candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from rag.errors import InputError
from rag.filters import Where
from rag.index.fusion import reciprocal_rank_fusion
from rag.index.index import Generation, Index
from rag.parts import Passages
from rag.retrievers.base import RetrieverSettings
from rag.threads.one_a_core import in_turn
from rag.types import Candidate, Chunk, Evidence, Floats, Hit, Question

Mode = Literal["hybrid", "dense", "lexical"]

# The question's ten best in the whole index: what a good cosine is depends on the question.
_REFERENCE = 10
# Ids of half-ingested passages can crowd a result; so many more are fetched to make up for them.
_MOST_SLACK = 5000
_BUILT_IN_KEYS = ("page", "source")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question to one generation of the index."""

    text: str
    vector: Floats
    where: Where | None
    generation: Generation

    def nearest(self, n: int) -> Sequence[Hit]:
        return self.generation.vectors.search(self.vector, n, self.where)

    def best(self, n: int) -> Sequence[Hit]:
        return self.generation.lexical.search(self.text, n, self.where)

    def references(self, dense: Sequence[Hit], lexical: Sequence[Hit]) -> tuple[Sequence[Hit], Sequence[Hit]]:
        """The question's nearest and best in the whole index. An unfiltered search has them at its head."""
        if self.where is not None:
            return replace(self, where=None).references((), ())
        nearest = dense[:_REFERENCE] if len(dense) >= _REFERENCE else self.nearest(_REFERENCE)
        return nearest, lexical[:1] or self.best(1)


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
        text, vector = question.text, question.vectors.vector
        found = in_turn(
            lambda: self._index.read(
                lambda generation: self._retrieve(_Asked(text, vector, where, generation))
            )
        )
        if not found and where:
            self._check_keys(where)
        return found

    def _retrieve(self, asked: _Asked) -> list[Candidate]:
        n = self._top_n + min(self._index.catalog.dirty_count(), _MOST_SLACK)
        dense = asked.nearest(n) if self._mode != "lexical" else ()
        lexical = asked.best(n) if self._mode != "dense" else ()
        standing = self._index.catalog.standing([hit.id for hit in (*dense, *lexical)])
        dense_ids, lexical_ids = (self._visible(hits, standing) for hits in (dense, lexical))
        everything = reciprocal_rank_fusion([dense_ids, lexical_ids], self._rrf_k)
        chunks = self._index.catalog.chunks([id_ for id_, _ in everything])
        also = _copies([chunks[id_] for id_, _ in everything])
        fused = [(id_, score) for id_, score in everything if id_ in also][: self._top_n]
        ids = [id_ for id_, _ in fused]
        evidence = self._evidence(asked, ids, dense, lexical)
        return [
            Candidate(
                chunk=chunks[id_],
                rank=rank,
                fused=score,
                dense_rank=_rank(id_, dense_ids),
                lexical_rank=_rank(id_, lexical_ids),
                evidence=evidence[id_],
                also=also[id_],
            )
            for rank, (id_, score) in enumerate(fused, start=1)
        ]

    def _visible(self, hits: Sequence[Hit], standing: frozenset[str]) -> list[str]:
        """A hit without a row in the catalog is half in or half out of the index."""
        return [hit.id for hit in hits if hit.id in standing][: self._top_n]

    def _evidence(
        self, asked: _Asked, ids: Sequence[str], dense: Sequence[Hit], lexical: Sequence[Hit]
    ) -> dict[str, Evidence]:
        """Exact cosine and BM25 of every candidate, whichever side found it, and the question's
        references over the whole index, filtered or not."""
        if not ids:
            return {}
        kept = self._index.catalog.vectors(ids)
        cosines = np.stack([kept[id_] for id_ in ids]) @ asked.vector
        # The lexical side scored its own hits already.
        bm25 = {hit.id: hit.score for hit in lexical}
        bm25 |= asked.generation.lexical.score(asked.text, [id_ for id_ in ids if id_ not in bm25])
        nearest, best = asked.references(dense, lexical)
        limit = asked.generation.lexical.limit(asked.text)
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


def _copies(chunks: Sequence[Chunk]) -> dict[str, tuple[str, ...]]:
    """Of passages that read the same the first alone, with the sources of the others."""
    firsts: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        firsts.setdefault(chunk.reading, []).append(chunk)
    return {
        first.id: tuple(dict.fromkeys(other.source for other in others if other.source != first.source))
        for first, *others in firsts.values()
    }


def _rank(id_: str, ids: Sequence[str]) -> int | None:
    return ids.index(id_) + 1 if id_ in ids else None


class OwnIndexSettings(RetrieverSettings, frozen=True):
    own: ClassVar[bool] = True

    kind: Literal["hybrid", "dense", "lexical"] = "hybrid"
    top_n: Passages = 50
    rrf_k: PositiveInt = 60

    def build(self, index: Callable[[], Index]) -> IndexRetriever:
        return IndexRetriever(index(), self.kind, self.top_n, self.rrf_k)
