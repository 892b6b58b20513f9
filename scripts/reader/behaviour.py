"""What can be told apart: a passage that answers, and one that nearly does (behaviour.yaml)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rag.answers.reader import Reader
from rag.calibration import sigmoid
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.models import token_bits


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    question: str
    answers: str
    other: str


CASES = tuple(Case(**row) for row in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8")))


def table(cases: Sequence[Case]) -> str:
    """How many of each kind the default's two scores get right."""
    told: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for case in cases:
        told[case.kind].append(_told(case))
    lines = ["| | cases | late interaction | cosine |", "|---|---|---|---|"]
    for kind, found in told.items():
        late, cosine = (sum(column) for column in zip(*found, strict=True))
        lines.append(f"| {kind} | {len(found)} | {late} | {cosine} |")
    return "\n".join(lines)


def with_reader(cases: Sequence[Case], reader: Reader) -> str:
    """Told apart: one half lies between them. Ranked: the answer is above the other."""
    lines = ["| | question | the answer | the other | |", "|---|---|---|---|---|"]
    for case in cases:
        readings = reader.read(case.question, [case.answers, case.other])
        good, bad = (sigmoid(reading.logit) for reading in readings)
        told = "told apart" if good >= 0.5 > bad else "ranked" if good > bad else "wrong"
        lines.append(f"| {case.kind} | {case.question} | {good:.2f} | {bad:.2f} | {told} |")
    return "\n".join(lines)


def _told(case: Case) -> tuple[bool, bool]:
    """Whether late interaction and the cosine prefer the answer."""
    embedder = SentenceTransformersSettings(precision="fp32").build()
    asked = embedder.embed_question(case.question)
    good, bad = embedder.embed_passages([case.answers, case.other])
    assert asked.tokens is not None
    assert good.tokens is not None
    assert bad.tokens is not None
    late = token_bits.maxsim_bits(asked.tokens, [good.tokens, bad.tokens])
    return bool(late[0] > late[1]), bool(good.vector @ asked.vector > bad.vector @ asked.vector)
