"""Which questions train, which tell when to stop, and which judge: three parts without a common question."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rag.errors import InputError
from rag.evaluation.dataset import LabelledQuestion

FEWEST = 20
# Of the questions that people asked; so many at most, since each is searched for twice.
_JUDGING = 0.25
_STOPPING = 0.1
_LEAST_JUDGING, _MOST_JUDGING = 8, 300
_LEAST_STOPPING, _MOST_STOPPING = 4, 100

Questions = tuple[LabelledQuestion, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """`stop` chooses: when to stop, how much of the start is kept, the calibration. `judge` decides nothing
    but whether the model is installed."""

    train: Questions
    stop: Questions
    judge: Questions

    def holds_out(self, text: str) -> bool:
        """Whether this is one of the questions held out, perhaps as a title of the collection."""
        return _plain(text) in {_plain(question.text) for question in (*self.stop, *self.judge)}


def split_questions(questions: Sequence[LabelledQuestion], seed: int) -> Parts:
    """Held out are questions that people asked, wherever there are any: drafted ones only train then."""
    asked = [q for q in questions if q.labelled and not q.synthetic]
    drafted = [q for q in questions if q.labelled and q.synthetic]
    held_from = asked or drafted
    if len(held_from) < FEWEST:
        raise InputError(
            f"{len(held_from)} questions have a document that answers them; training needs {FEWEST} or "
            "more, since some are held out to judge it. Label more, collect feedback (`rag feedback`), or "
            "draft some from the documents (--synthetic 200)"
        )
    judging = _size(len(held_from), _JUDGING, _LEAST_JUDGING, _MOST_JUDGING)
    stopping = _size(len(held_from), _STOPPING, _LEAST_STOPPING, _MOST_STOPPING)
    order = sorted(held_from, key=lambda question: question.id)
    random.Random(seed).shuffle(order)
    judge, rest = _apart(order, judging)
    stop, rest = _apart(rest, stopping)
    held = {_plain(question.text) for question in (*judge, *stop)}
    rest += drafted if asked else []
    # The same question under another id is the same question.
    train = tuple(question for question in rest if _plain(question.text) not in held)
    return Parts(train, tuple(_distinct(stop, {_plain(q.text) for q in judge})), tuple(judge))


def _apart(questions: Sequence[LabelledQuestion], size: int) -> tuple[Questions, list[LabelledQuestion]]:
    """So many, and the rest. Questions that a document answers together stay together as far as they can: a
    model ranks a document well that it was trained on, which says little of the documents it was not."""
    chosen: list[LabelledQuestion] = []
    for group in _sharing(questions):
        if len(chosen) + len(group) <= size:
            chosen += group
    ids = {question.id for question in chosen}
    # Where nearly all hang together, as where each has dozens of documents, it is any.
    chosen += [question for question in questions if question.id not in ids][: size - len(chosen)]
    ids = {question.id for question in chosen}
    return tuple(chosen), [question for question in questions if question.id not in ids]


def _sharing(questions: Sequence[LabelledQuestion]) -> list[list[LabelledQuestion]]:
    """Groups without a common document, in the order of their first questions."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = name = root[root[name]]
        return name

    answering = [[d for d, grade in q.relevant.items() if grade > 0] for q in questions]
    for first, *others in answering:
        for other in others:
            root[find(other)] = find(first)
    groups: dict[str, list[LabelledQuestion]] = {}
    for question, documents in zip(questions, answering, strict=True):
        groups.setdefault(find(documents[0]), []).append(question)
    return list(groups.values())


def _distinct(questions: Sequence[LabelledQuestion], taken: set[str]) -> Sequence[LabelledQuestion]:
    return [question for question in questions if _plain(question.text) not in taken]


def _size(all_: int, share: float, least: int, most: int) -> int:
    return min(max(round(share * all_), least), most)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip("?!. ")
