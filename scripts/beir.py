"""Test collections in BEIR form, indexed and asked through the pipeline: shared by the scripts here."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag import Rag, Settings
from rag.protocols import Progress, silent

Qrels = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Collection:
    """`corpus` is a corpus.jsonl, or a folder of documents whose paths are the ids in the qrels."""

    name: str
    corpus: Path
    questions: dict[str, str]
    qrels: Qrels

    @classmethod
    def load(cls, folder: Path, split: str = "test", corpus: Path | None = None) -> Collection:
        qrels = _qrels(folder / "qrels" / f"{split}.tsv")
        texts = {row["_id"]: row["text"] for row in read_lines(folder / "queries.jsonl")}
        questions = {
            id_: texts[id_] for id_ in sorted(qrels) if any(grade > 0 for grade in qrels[id_].values())
        }
        return cls(folder.name, corpus or folder / "corpus.jsonl", questions, qrels)

    def document(self, source: str) -> str:
        """The qrels' name for a document, from its source in the index."""
        if self.corpus.suffix == ".jsonl":
            return source.rpartition("#")[2]
        return source.rpartition(f"{self.corpus.name}/")[2]


def open_index(collection: Collection, work: Path, progress: Progress = silent, **sections: object) -> Rag:
    """The collection's index under `work`, brought up to date."""
    path = work / collection.name
    settings = Settings(store={"kind": "embedded", "path": path}, loader={"max_bytes": 10**9}, **sections)  # type: ignore[arg-type]  # pydantic validates
    rag = Rag(settings)
    rag.ingest(collection.corpus, progress=progress)
    return rag


def _qrels(path: Path) -> Qrels:
    qrels: Qrels = defaultdict(dict)
    for line in path.read_text("utf-8").strip().split("\n")[1:]:
        question, document, grade = line.split("\t")
        qrels[question][document] = int(grade)
    return dict(qrels)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
