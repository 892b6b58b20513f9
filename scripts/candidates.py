"""What the first stage and the default reranker know of a question's candidates, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from beir import Collection
from numpy.typing import NDArray

from rag import Rag
from rag.calibration import evidence_features


@dataclass(frozen=True, slots=True)
class Judged:
    """One question: a row of features a candidate, and whether it is relevant.

    Of a relevant document's passages the best-scored one counts as relevant and the others are
    left out, since the judgement does not say which of them holds the answer.
    """

    question: str
    features: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    documents: tuple[str, ...]
    answerable: bool
    small: bool = False


def judged(rag: Rag, collection: Collection) -> Iterator[Judged]:
    for id_, text in collection.questions.items():
        question = rag.pipeline.encode(text)
        candidates = rag.pipeline.retrieve(question)
        scores = rag.pipeline.reranker.score(question, candidates).values
        documents = [collection.document(c.chunk.source) for c in candidates]
        grades = collection.qrels.get(id_, {})
        is_relevant = [grades.get(document, 0) > 0 for document in documents]
        rows = [
            [score, *(v or 0.0 for v in evidence_features(c.evidence).values())]
            for score, c in zip(scores, candidates, strict=True)
        ]
        keep = _one_passage_a_document(documents, is_relevant, scores)
        yield Judged(
            id_,
            np.array(rows)[keep],
            np.array(is_relevant)[keep],
            tuple(documents[i] for i in keep),
            bool(grades),
        )


def _one_passage_a_document(
    documents: list[str], is_relevant: list[bool], scores: tuple[float, ...]
) -> list[int]:
    best: dict[str, int] = {}
    for i, document in enumerate(documents):
        if is_relevant[i] and (document not in best or scores[i] > scores[best[document]]):
            best[document] = i
    return [i for i, document in enumerate(documents) if not is_relevant[i] or best[document] == i]
