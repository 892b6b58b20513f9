"""From a question to a lesson: which passage answers it, and which ones only look as if they did.

What looks so is what the pipeline itself ranks high: its own first stage and its own reranker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.naming import Naming
from rag.index.catalog import Catalog
from rag.pipeline import Pipeline
from rag.protocols import Progress
from rag.training.lessons.lesson import Lesson, Text
from rag.training.recipe import Recipe
from rag.types import Chunk, Passage, Question


class Miner:
    def __init__(self, pipeline: Pipeline, catalog: Catalog, named: Naming, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._catalog = catalog
        self._named = named
        self._recipe = recipe

    def lessons(self, questions: Sequence[LabelledQuestion], progress: Progress) -> Iterator[Lesson]:
        """Of the questions whose answer is in the index."""
        encoded = self._pipeline.encode_many([question.text for question in questions])
        for done, (question, asked) in enumerate(zip(questions, encoded, strict=True), start=1):
            lesson = self._lesson(question, asked)
            progress("mine", done, len(questions))
            if lesson.right:
                yield lesson

    def beside(self, titles: Sequence[Lesson], progress: Progress) -> Iterator[Lesson]:
        """The same titles with what the pipeline takes for their passages: that of strangers is told from
        theirs at a glance, and teaches nothing."""
        encoded = self._pipeline.encode_many([title.question for title in titles])
        for done, (title, asked) in enumerate(zip(titles, encoded, strict=True), start=1):
            ranked, _ = self._pipeline.rerank(asked, self._pipeline.retrieve(asked))
            strangers = [p for p in ranked if self._document(p.chunk) not in title.answering]
            wrong = tuple(self._text(passage.chunk) for passage in strangers[: self._recipe.depth])
            progress("mine", done, len(titles))
            yield replace(title, wrong=wrong)

    def _lesson(self, question: LabelledQuestion, asked: Question) -> Lesson:
        ranked, _ = self._pipeline.rerank(asked, self._pipeline.retrieve(asked))
        answering = {document for document, grade in question.relevant.items() if grade > 0}
        right = self._right(question, asked, ranked)
        least = max(
            (passage.logit for passage in ranked if self._document(passage.chunk) in answering), default=None
        )
        wrong = [
            passage
            for passage in ranked[: self._recipe.depth]
            if self._document(passage.chunk) not in answering and self._is_wrong(question, passage, least)
        ]
        return Lesson(
            question=question.text,
            right=tuple(self._text(chunk) for chunk, _ in right),
            weights=tuple(float(grade) for _, grade in right),
            wrong=tuple(self._text(passage.chunk) for passage in wrong),
            answering=frozenset(answering),
        )

    def _is_wrong(self, question: LabelledQuestion, passage: Passage, best_right: float | None) -> bool:
        """Who made the labels has not read everything: what ranks far above what is known to answer the
        question may well answer it too. Where somebody has said that it does not, it does not."""
        if question.relevant.get(self._document(passage.chunk)) is not None:
            return True
        return best_right is None or passage.logit <= best_right + self._recipe.margin

    def _right(
        self, question: LabelledQuestion, asked: Question, ranked: Sequence[Passage]
    ) -> list[tuple[Chunk, int]]:
        """Of each document that answers the passage that somebody marked, else the one that ranks best.

        Where many documents do, those of the best grade that rank best already: of dozens of labels a
        question, the far ones are mostly not about it.
        """
        marked = spans_of(question)
        best: dict[str, Chunk] = {}
        for passage in ranked:
            best.setdefault(self._document(passage.chunk), passage.chunk)
        place = {document: at for at, document in enumerate(best)}

        def order(item: tuple[str, int]) -> tuple[int, int, str]:
            document, grade = item
            return -grade, place.get(document, len(place)), document

        found: list[tuple[Chunk, int]] = []
        for document, grade in sorted(question.relevant.items(), key=order):
            if grade > 0 and len(found) < self._recipe.most_right:
                chunk = self._marked(document, marked) or best.get(document) or self._nearest(document, asked)
                if chunk is not None:
                    found.append((chunk, grade))
        return found

    def _marked(self, document: str, marked: dict[str, tuple[int, int]]) -> Chunk | None:
        if document not in marked:
            return None
        start, end = marked[document]
        chunks = self._catalog.chunks_of(self._named.prefix + document)
        common = [(min(end, chunk.end) - max(start, chunk.start), chunk) for chunk in chunks]
        return max(common, key=lambda pair: pair[0])[1] if common and max(c for c, _ in common) > 0 else None

    def _nearest(self, document: str, asked: Question) -> Chunk | None:
        """Of a document that the first stage did not find."""
        chunks = self._catalog.chunks_of(self._named.prefix + document)
        if not chunks or asked.vectors is None:
            return chunks[0] if chunks else None
        vectors = self._catalog.vectors([chunk.id for chunk in chunks])
        cosines = np.stack([vectors[chunk.id] for chunk in chunks]) @ asked.vectors.vector
        return chunks[int(cosines.argmax())]

    def _document(self, chunk: Chunk) -> str:
        return self._named.document(chunk.source)

    def _text(self, chunk: Chunk) -> Text:
        return Text(self._document(chunk), chunk.reading)


Spans = dict[str, tuple[int, int]]


def spans_of(question: LabelledQuestion) -> Spans:
    """By document. A draft marks the one passage that it was made from; feedback those that were cited."""
    said = question.metadata
    if isinstance(several := said.get("spans"), dict):
        return {str(document): (int(start), int(end)) for document, (start, end) in several.items()}
    if (
        isinstance(said.get("start"), int)
        and isinstance(said.get("end"), int)
        and len(question.relevant) == 1
    ):
        return dict.fromkeys(question.relevant, (said["start"], said["end"]))
    return {}
