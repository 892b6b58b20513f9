"""What the first stage and the reranker know of a question's candidates, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag.calibration import FEATURES, Calibration
from rag.errors import InputError
from rag.evaluation.dataset import Dataset
from rag.evaluation.naming import Naming
from rag.evaluation.reliability import one_passage_a_document
from rag.pipeline import Pipeline
from rag.protocols import Progress
from rag.types import Candidate, Question, Scores


@dataclass(frozen=True, slots=True)
class Judged:
    """One question: a row of features a candidate, in the order of FEATURES, and whether it is relevant.

    Of a relevant document's passages the best-scored one counts as relevant and the others are
    left out, since the judgement does not say which of them holds the answer. What the first stage
    does not know is NaN. `ranks`: whether the reranker has an order of its own.
    """

    question: str
    features: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    documents: tuple[str, ...]
    answerable: bool
    small: bool = False
    ranks: bool = True


def check_whole(scores: Scores) -> Scores:
    """As they came from one reranker that scored all: what another has scored is on another scale."""
    if scores.status in ("late", "degraded") or len(set(scores.by)) > 1:
        told = scores.reason or "a cascade"
        raise InputError(
            f"more than one reranker scored the candidates of a question ({told}): what is fitted belongs to "
            "one. Leave policy.cascade and policy.fallback out, and give it the time it needs"
        )
    return scores


def judge_question(
    pipeline: Pipeline,
    id_: str,
    question: Question,
    document: Callable[[str], str],
    grades: Mapping[str, int],
) -> Judged:
    candidates = pipeline.retrieve(question)
    scores = check_whole(pipeline.reranker.score(question, candidates)) if candidates else None
    values = scores.values if scores else ()
    documents = [document(candidate.chunk.source) for candidate in candidates]
    features = feature_rows(pipeline.calibration, values, candidates)
    row = judged_row(id_, features, documents, grades)
    return replace(row, ranks=scores.ranks if scores else True)


def feature_rows(
    calibration: Calibration, values: Sequence[float], candidates: Sequence[Candidate]
) -> NDArray[np.float64]:
    """A row a candidate, in the order of FEATURES."""
    rows = [
        list(calibration.features(value, candidate.evidence).values())
        for value, candidate in zip(values, candidates, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES))


def judged_row(
    id_: str, features: NDArray[np.float64], documents: Sequence[str], grades: Mapping[str, int]
) -> Judged:
    """Of all the candidates, those whose relevance is known."""
    known = one_passage_a_document(documents, grades, features[:, 0].tolist())
    return Judged(
        id_,
        features[known],
        np.array([grades.get(documents[i], 0) > 0 for i in known], dtype=np.bool_),
        tuple(documents[i] for i in known),
        any(grade > 0 for grade in grades.values()),
    )


def judge_questions(
    pipeline: Pipeline, dataset: Dataset, named: Naming, progress: Progress
) -> Iterator[Judged]:
    """The questions of which it is known whether and where they are answered."""
    known = [q for q in dataset.questions if q.labelled or q.can_be_answered is False]
    encoded = pipeline.encode_many([question.text for question in known])
    for done, (question, asked) in enumerate(zip(known, encoded, strict=True), start=1):
        yield judge_question(pipeline, question.id, asked, named.document, question.relevant)
        progress("score", done, len(known))


def usable(rows: Sequence[Judged], names: Sequence[str]) -> list[str]:
    """The features that every candidate has and that say something: not those the first stage lacks."""
    features = np.concatenate([row.features for row in rows])
    return [
        name
        for name in names
        if not np.isnan(column := features[:, FEATURES.index(name)]).any() and column.std() > 0
    ]
