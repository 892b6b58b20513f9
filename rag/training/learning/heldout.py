"""How well a student ranks questions that it is not trained on: quick enough to ask now and then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.calibration import Calibration
from rag.errors import InputError
from rag.evaluation.dataset import Grades, LabelledQuestion
from rag.evaluation.metrics import by_document, mean, score_rankings
from rag.evaluation.naming import Naming
from rag.pipeline import Pipeline
from rag.training.learning.student import Student
from rag.types import Candidate

_K = 10


@dataclass(frozen=True, slots=True)
class Held:
    """A question with the candidates that the present pipeline finds."""

    id: str
    text: str
    grades: Grades
    candidates: tuple[Candidate, ...]
    documents: tuple[str, ...]


class HeldOut:
    """Reads the same candidates again with each state of the student, and ranks them as the pipeline would:
    by the calibration that is in force now, whose other evidence does not change.

    The full search, with a new index, is for the verdict.
    """

    def __init__(self, held: Sequence[Held], calibration: Calibration, depth: int) -> None:
        self._held = held
        self._calibration = calibration
        self._depth = depth

    @property
    def passages(self) -> int:
        """So many are read for one look."""
        return sum(len(one.candidates) for one in self._held)

    def ndcg(self, student: Student) -> float:
        rankings = {one.id: self._ranking(one, student) for one in self._held}
        grades = {one.id: one.grades for one in self._held}
        return mean(score_rankings(rankings, grades, _K, self._depth))[f"ndcg@{_K}"]

    def _ranking(self, one: Held, student: Student) -> list[str]:
        readings = [candidate.chunk.reading for candidate in one.candidates]
        scores, cosines = student.scores(one.text, readings)
        logits = [
            self._calibration.logit(
                float(score),
                candidate.evidence
                if cosines is None
                else replace(candidate.evidence, cosine=float(cosines[i])),
            )
            for i, (score, candidate) in enumerate(zip(scores, one.candidates, strict=True))
        ]
        order = np.argsort(-np.array(logits), kind="stable")
        return by_document(one.documents[i] for i in order)


def hold(pipeline: Pipeline, questions: Sequence[LabelledQuestion], named: Naming, depth: int) -> HeldOut:
    held = []
    for question, asked in zip(questions, pipeline.encode_many([q.text for q in questions]), strict=True):
        found = tuple(pipeline.retrieve(asked)[:depth])
        documents = tuple(named.document(candidate.chunk.source) for candidate in found)
        if found:
            held.append(Held(question.id, question.text, question.relevant, found, documents))
    if not held:
        raise InputError(
            "the first stage finds nothing for any of the questions held out: is the index empty?"
        )
    return HeldOut(held, pipeline.calibration, depth)
