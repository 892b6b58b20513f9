"""Where the questions come from: labels, what users said of answers, and drafts from the documents."""

from __future__ import annotations

from pathlib import Path

from rag.api import Rag
from rag.errors import InputError
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.drafting import draft_questions
from rag.evaluation.naming import Naming, naming
from rag.protocols import Progress


def check_sources(dataset: Dataset | None, feedback: Path | None, synthetic: int) -> None:
    if dataset is None and feedback is None and not synthetic:
        raise InputError(
            "there is nothing to learn from: name a DATASET with judgements, --feedback FILE, or "
            "--synthetic N for N questions drafted from the documents"
        )


def gather(
    rag: Rag, dataset: Dataset | None, feedback: Path | None, synthetic: int, seed: int, progress: Progress
) -> tuple[list[LabelledQuestion], Naming]:
    sources = [source for source, _ in rag.assembly.index.catalog.sources()]
    named = naming(sources, dataset.judged if dataset else ())
    questions = list(dataset.labelled) if dataset else []
    if feedback is not None:
        from rag.training.lessons.feedback import feedback_questions

        questions += feedback_questions(feedback, named)
    if synthetic:
        questions += _renamed(draft_questions(rag, synthetic, seed, progress), named)
    return questions, named


def _renamed(drafts: list[LabelledQuestion], named: Naming) -> list[LabelledQuestion]:
    """In the judgements' names for documents, since a lesson may meet documents of both kinds."""
    return [
        question.model_copy(
            update={
                "relevant": {named.document(source): grade for source, grade in question.relevant.items()}
            }
        )
        for question in drafts
    ]
