"""Questions with what is known of their answers: a folder in BEIR form, or a file of questions.

A folder holds `questions.jsonl` or `queries.jsonl`, judgements in `qrels/<split>.tsv`, and
`corpus.jsonl` where it brings its documents along. A file alone names the documents that answer a
question in its line: `{"_id", "text", "answer", "answerable", "relevant": ["guide.md"]}`.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from rag.errors import InputError
from rag.files.given import read_given
from rag.runs.questions import AskedQuestion, read_lines

Grades = Mapping[str, int]
_GRADE = re.compile(r"-?[0-9]{1,9}")
# Of judgements: tens of millions.
_MOST_BYTES = 1_000_000_000
_FILES = ("questions.jsonl", "queries.jsonl")


class LabelledQuestion(AskedQuestion):
    """`relevant`: the grade of each judged document. `synthetic`: drafted by a machine, not by people."""

    kind: str = ""
    relevant: dict[str, int] = Field(default_factory=dict)
    synthetic: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("relevant", mode="before")
    @classmethod
    def _graded(cls, value: Any) -> Any:
        """A list of documents means grade 1 each."""
        return dict.fromkeys(value, 1) if isinstance(value, list) else value

    @property
    def labelled(self) -> bool:
        return any(grade > 0 for grade in self.relevant.values())

    @property
    def can_be_answered(self) -> bool | None:
        """None where nobody has said."""
        if self.answerable is not None:
            return self.answerable
        if self.metadata.get("is_impossible") is True:
            return False
        return True if self.labelled else None

    @property
    def references(self) -> tuple[str, ...]:
        """What a right answer says, in each of the ways that are known."""
        several = self.metadata.get("answers")
        said = several if isinstance(several, list) else []
        return tuple(text for text in (self.answer, *said) if isinstance(text, str) and text.strip())


@dataclass(frozen=True, slots=True)
class Dataset:
    """`corpus` is None where the questions are about the config's own documents."""

    name: str
    questions: tuple[LabelledQuestion, ...]
    corpus: Path | None = None

    @classmethod
    def load(cls, path: Path, split: str = "test") -> Dataset:
        if path.is_dir():
            return _folder(path, split)
        if path.suffix != ".jsonl":
            raise InputError(
                f"the dataset {path} is neither a folder with {' or '.join(_FILES)} nor a .jsonl file"
            )
        return cls(path.stem, tuple(read_lines(path, LabelledQuestion, "the dataset")))

    def sample(self, size: int | None, seed: int) -> Dataset:
        """So many questions, always the same ones for a seed."""
        if size is None or size >= len(self.questions):
            return self
        return self._of(random.Random(seed).sample(range(len(self.questions)), size))

    def split(self, seed: int, share: float = 0.5) -> tuple[Dataset, Dataset]:
        """Two parts without a common question, each with its share of the unanswerable ones."""
        first: list[int] = []
        for able in (True, False, None):
            places = [i for i, q in enumerate(self.questions) if q.can_be_answered is able]
            random.Random(seed).shuffle(places)
            first += places[: round(share * len(places))]
        second = set(range(len(self.questions))) - set(first)
        return self._of(first), self._of(second)

    @property
    def labelled(self) -> tuple[LabelledQuestion, ...]:
        return tuple(question for question in self.questions if question.labelled)

    @property
    def synthetic(self) -> int:
        return sum(question.synthetic for question in self.questions)

    @property
    def judged(self) -> set[str]:
        """The documents that somebody holds for relevant."""
        return {name for q in self.questions for name, grade in q.relevant.items() if grade > 0}

    def _of(self, places: Iterable[int]) -> Dataset:
        """Those questions, in the order of the file."""
        return replace(self, questions=tuple(self.questions[i] for i in sorted(places)))


def _folder(folder: Path, split: str) -> Dataset:
    file = next((folder / name for name in _FILES if (folder / name).exists()), None)
    if file is None:
        raise InputError(f"the dataset {folder} holds neither {' nor '.join(_FILES)}")
    questions = read_lines(file, LabelledQuestion, "the dataset")
    if (folder / "qrels").is_dir():
        questions = _in_split(questions, _qrels(folder / "qrels", split))
    if not questions:
        raise InputError(f"the split {split!r} of {folder} judges none of the questions in {file.name}")
    corpus = folder / "corpus.jsonl"
    return Dataset(folder.name, tuple(questions), corpus if corpus.exists() else None)


def _in_split(questions: Sequence[LabelledQuestion], qrels: Mapping[str, Grades]) -> list[LabelledQuestion]:
    """Those that the split judges, and those that are said to have no answer, which no split can judge."""
    judged = [
        q.model_copy(update={"relevant": {**q.relevant, **qrels.get(q.id, {})}})
        for q in questions
        if q.id in qrels or q.can_be_answered is False or q.relevant
    ]
    return [question for question in judged if question.labelled or question.can_be_answered is False]


def _qrels(folder: Path, split: str) -> Mapping[str, Grades]:
    path = folder / f"{split}.tsv"
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in folder.glob("*.tsv"))) or "none"
        raise InputError(f"the dataset has no split {split!r} in {folder}: there are {there}")
    qrels: dict[str, dict[str, int]] = {}
    rows = csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for number, row in enumerate(rows, start=1):
            if row and not (number == 1 and not _is_grade(row[-1])):
                question, document, grade = _judgement(row, f"{path} line {number}")
                qrels.setdefault(question, {})[document] = grade
    except csv.Error as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return qrels


def _lines(path: Path) -> StringIO:
    try:
        return StringIO(read_given(path, "the judgements", _MOST_BYTES).decode("utf-8"), newline="")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8: {error.reason} at byte {error.start}") from error


def _judgement(row: Sequence[str], where: str) -> tuple[str, str, int]:
    if len(row) != 3 or not _is_grade(row[2]):
        raise InputError(f"{where}: expected question, document and grade with tabs between, got {row!r}")
    return row[0], row[1], int(row[2].strip())


def _is_grade(text: str) -> bool:
    return _GRADE.fullmatch(text.strip()) is not None
