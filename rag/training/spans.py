"""Where in a document the answer of a question stands, where somebody has marked it."""

from __future__ import annotations

from rag.evaluation.dataset import LabelledQuestion

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
