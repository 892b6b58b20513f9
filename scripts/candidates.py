"""What the first stage and the default reranker know of a collection's candidates, as arrays."""

from __future__ import annotations

from collections.abc import Iterator

from beir import Collection

from rag import Rag
from rag.evaluation.candidates import Judged, judge_question


def judged(rag: Rag, collection: Collection) -> Iterator[Judged]:
    for id_, text in collection.questions.items():
        grades = collection.qrels.get(id_, {})
        yield judge_question(rag.pipeline, id_, rag.pipeline.encode(text), collection.document, grades)
