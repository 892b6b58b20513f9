"""Users' feedback on answers: one JSON line each, in a file of the index folder that only grows."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, TypeAdapter

from rag.errors import ConfigError, InputError, LockedError
from rag.files.given import read_given
from rag.services.validation import first_problem
from rag.types import Answer

FILE = "feedback.jsonl"
# A line is written in milliseconds: who holds the lock longer hangs.
_PATIENCE_S = 10
_MOST_BYTES = 1_000_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedPassage:
    """A passage that the judged answer was made from, and whether the answer cites it."""

    source: str
    start: int
    end: int
    text: str
    relevance: float
    cited: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """`good` is about the answer as it stood: of a refusal (`found` is False), that refusing was right.

    `time` is ISO 8601 in UTC.

    >>> rag = Rag()
    >>> rag.feedback(rag.ask("Where is the spare fuse kept?"), good=True).good
    True
    """

    time: str
    question: str
    good: bool
    found: bool
    passages: tuple[JudgedPassage, ...]
    note: str = ""


def judge(answer: Answer, good: bool, note: str = "") -> Feedback:
    cited = {citation.marker for citation in answer.citations}
    passages = (
        JudgedPassage(p.chunk.source, p.chunk.start, p.chunk.end, p.chunk.text, p.relevance, number in cited)
        for number, p in enumerate(answer.passages, start=1)
    )
    return _now(answer.question, good, answer.found, passages, note)


def judge_json(answer: bytes, good: bool, note: str = "") -> Feedback:
    """Of an answer as `rag ask --json` prints it and answers.jsonl keeps it."""
    try:
        told = _Told.model_validate(json.loads(answer))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"this is no answer ({first_problem(error)}): give one document that `rag ask --json` has printed"
        ) from None
    cited = {citation.marker for citation in told.citations}
    passages = (
        JudgedPassage(**passage.model_dump(), cited=number in cited)
        for number, passage in enumerate(told.passages, start=1)
    )
    return _now(told.question, good, told.found, passages, note)


def add_feedback(path: Path, feedback: Feedback) -> Feedback:
    """On disk when this returns. Any number of threads and processes may add at once."""
    # What UTF-8 cannot say, such as half a file name's bytes, is escaped.
    line = json.dumps(asdict(feedback), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_PATIENCE_S), path.open("a+b") as stream:
            stream.write(line if _ends_whole(path) else b"\n" + line)
            stream.flush()
            os.fsync(stream.fileno())
    except Timeout:
        raise LockedError(
            f"another process has been writing to {path} for {_PATIENCE_S} s: try again"
        ) from None
    except OSError as error:
        raise ConfigError(f"feedback cannot be written to {path} (store.path): {error.strerror}") from error
    return feedback


def read_feedback(path: Path) -> list[Feedback]:
    """Oldest first. A line that cannot be read, such as one that a kill tore apart, is named and left out."""
    lines = read_given(path, "feedback", _MOST_BYTES).split(b"\n")
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_LINES.validate_python(json.loads(line)))
        except (ValueError, RecursionError) as error:
            _log.warning("%s line %d cannot be read and is left out: %s", path, number, first_problem(error))
    return found


class _ToldPassage(BaseModel):
    source: str
    start: int
    end: int
    text: str
    relevance: float


class _ToldCitation(BaseModel):
    marker: int


class _Told(BaseModel):
    """What of an answer's JSON is kept."""

    question: str
    found: bool
    passages: tuple[_ToldPassage, ...]
    citations: tuple[_ToldCitation, ...]


_LINES = TypeAdapter(Feedback)


def _now(question: str, good: bool, found: bool, passages: Iterable[JudgedPassage], note: str) -> Feedback:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return Feedback(time, question, good, found, tuple(passages), note)


def _ends_whole(path: Path) -> bool:
    """Not where a writer was killed: what it left must stay a line of its own."""
    with path.open("rb") as stream:
        if not stream.seek(0, os.SEEK_END):
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
