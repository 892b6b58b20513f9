"""From what users have said of answers to labelled questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.evaluation.dataset import LabelledQuestion
from rag.evaluation.naming import Naming
from rag.feedback import Feedback, JudgedPassage, read_feedback


def feedback_questions(path: Path, named: Naming) -> list[LabelledQuestion]:
    """One for each question asked, with all that was ever said of it; the last word on a document counts."""
    by_text: dict[str, list[Feedback]] = {}
    for said in read_feedback(path):
        by_text.setdefault(said.question, []).append(said)
    return [
        _question(number, text, said, named) for number, (text, said) in enumerate(by_text.items(), start=1)
    ]


def _question(number: int, text: str, said: Sequence[Feedback], named: Naming) -> LabelledQuestion:
    """What a good answer cites answers the question; what a bad one cites does not."""
    grades: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    for one in said:
        for passage in _meant(one):
            document = named.document(passage.source)
            grades[document] = int(one.good)
            if one.good:
                spans[document] = (passage.start, passage.end)
    return LabelledQuestion.model_validate(
        {
            "_id": f"feedback-{number:05}",
            "text": text,
            "relevant": grades,
            "kind": "feedback",
            "metadata": {"spans": {document: list(spans[document]) for document in spans}},
        }
    )


def _meant(said: Feedback) -> Sequence[JudgedPassage]:
    """Those that the answer cites; where it cites none, it was made of all of them. A refusal was made of
    passages that did not reach it: nothing is known of those."""
    cited = [passage for passage in said.passages if passage.cited]
    return cited or said.passages if said.found else ()
