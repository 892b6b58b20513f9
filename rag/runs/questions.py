"""The questions of a run: a jsonl file, a question a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from rag.errors import InputError
from rag.files.given import read_given
from rag.services.validation import first_problem

# Millions of questions.
_MOST_BYTES = 500_000_000


class AskedQuestion(BaseModel):
    """`{"_id", "text"}`, as in a BEIR queries file; `answer` and `answerable` say what is expected."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    id: str = Field(validation_alias="_id", min_length=1)
    text: str = Field(validation_alias=AliasChoices("text", "question"), min_length=1)
    answer: str | None = None
    answerable: bool | None = None


Asked = TypeVar("Asked", bound=AskedQuestion)


def read_questions(path: Path) -> list[AskedQuestion]:
    return read_lines(path, AskedQuestion, "run.questions")


def read_lines(path: Path, kind: type[Asked], named: str) -> list[Asked]:
    """`named` is what the user calls the file: the key or the argument that gave it."""
    # Split as bytes: U+2028 inside a text is no end of a line.
    lines = read_given(path, named, _MOST_BYTES).split(b"\n")
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    questions = [_question(line, kind, f"{path} line {number}") for number, line in numbered]
    if not questions:
        raise InputError(f"{named} {path} holds no question")
    for twin in _twins(questions):
        raise InputError(f"{path}: _id {twin!r} stands twice; answers could not be told apart")
    return questions


def _question(line: bytes, kind: type[Asked], where: str) -> Asked:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"{where}: {first_problem(error)}") from None


def _twins(questions: Sequence[AskedQuestion]) -> Iterator[str]:
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            yield question.id
        seen.add(question.id)
