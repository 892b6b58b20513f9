"""The files of a run's folder: answers appended line by line, everything else replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rag.files.lock import alone
from rag.files.whole import write_whole
from rag.runs.line import AnswerLine


class Journal:
    """A run's folder, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers = folder / "answers.jsonl"
        self._record = folder / "run.json"

    def held(self) -> AbstractContextManager[None]:
        busy = f"another run is writing to {self.folder}: wait, or name another folder (run.out, --out)"
        return alone(self.folder / "run.lock", busy, "run.out, --out")

    def earlier(self) -> tuple[str, list[AnswerLine]]:
        """Which run wrote here before, and its answers. Failures are left out, and so is what a stand-in
        has ranked: they deserve another try."""
        record = _object(_bytes(self._record)) or {}
        documents = map(_object, _bytes(self._answers).split(b"\n"))
        # What a kill tore apart is no JSON.
        lines = [AnswerLine.read(document) for document in documents if document]
        kept = [line for line in lines if line and not line.error and not line.makeshift]
        return str(record.get("identity", "")), kept

    def start(self, kept: Iterable[AnswerLine], record: Mapping[str, Any]) -> None:
        """The answers first: until the record names a new run, no old answer may pass for one of its own."""
        self._put_answers(kept)
        self._put_record(record)

    def append(self, answer: AnswerLine) -> None:
        with self._answers.open("ab") as stream:
            stream.write(_written(answer))

    def finish(self, record: Mapping[str, Any], answers: Iterable[AnswerLine], report: str = "") -> None:
        """`record` is the document of run.json. It comes last: it says that all is there."""
        self._put_answers(answers)
        if report:
            write_whole(self.folder / "report.html", report.encode())
        self._put_record(record)

    def _put_answers(self, answers: Iterable[AnswerLine]) -> None:
        write_whole(self._answers, b"".join(map(_written, answers)))

    def _put_record(self, record: Mapping[str, Any]) -> None:
        write_whole(self._record, json.dumps(record, ensure_ascii=False, indent=2).encode() + b"\n")


def _written(answer: AnswerLine) -> bytes:
    return json.dumps(answer.document(), ensure_ascii=False).encode() + b"\n"


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
