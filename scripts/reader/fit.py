"""What the reader adds, on questions that it never learned from.

Its scale, from the best relevance and what was read to the probability that the answer is there, is fitted
on held-out questions, each asked twice: of the whole collection, and of what is left of it without the
passages that answer. Nothing is fitted on CLAPNQ and the handbook: the share of unanswerable questions
refused where 90% of the others are answered, with the interval of the difference by bootstrap.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from beir import Collection, open_index, read_lines
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no stubs
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from rag import Rag
from rag.answers.reader import BundledReaderSettings, Reader, Scale, evidence
from rag.answers.sentences import sentences
from rag.calibration import sigmoid
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.files.shipped import handbook
from rag.models import token_bits
from rag.training.lessons.reading import Group, held
from rag.types import Passage
from reader.train import HELD_MANUALS, held_out

HANDBOOK_QUESTIONS = Path(__file__).parents[2] / "data" / "questions" / "questions.jsonl"
Numbers = NDArray[np.float64]

FITTED_ON = ("squad_dev_v1.1", "nq_open_oracle", "covidqa_200423")
PASSAGES = 5
MOST = 50
LOST = 0.05
ANSWERED = 0.9


@dataclass(frozen=True, slots=True)
class Shown:
    """A question with its best passages and how relevant each is."""

    question: str
    answerable: bool
    texts: tuple[str, ...]
    relevances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one set: whether each question has an answer, its best relevance as a logit, and the reading."""

    answerable: NDArray[np.bool_]
    relevance: Numbers
    reading: Numbers

    @property
    def features(self) -> Numbers:
        return np.stack([self.relevance, self.reading], axis=1)


def fit_and_judge(options: argparse.Namespace) -> None:
    reader = BundledReaderSettings(kind="bundled", model=options.reader).build()
    groups = held_out(options.work)
    asked = {name: partial(_halves, options, name, groups) for name in FITTED_ON}
    asked["manuals"] = partial(_manuals, options, groups)
    sets = {name: _kept(options.work, name, ask)[: 2 * MOST] for name, ask in asked.items()}
    scale = fit({name: judged(reader, shown) for name, shown in sets.items()})
    print(scale.model_dump_json(indent=1))
    if options.write:
        (options.reader / "scale.json").write_text(scale.model_dump_json(indent=1) + "\n")
    if options.judge:
        sets["CLAPNQ"] = _kept(options.work, "clapnq", lambda: _clapnq(options))
        sets["handbook"] = _kept(options.work, "handbook", lambda: _handbook(options.work))
    print("| | questions | without | with | difference | area without | area with | error |")
    print("|---|---|---|---|---|---|---|---|")
    for name, shown in sets.items():
        print(line(name, judged(reader, shown), scale))
    print(marked(reader, groups))
    print(f"{milliseconds(reader, sets['squad_dev_v1.1']):.0f} ms to read five passages, in the median")


def fit(sets: Mapping[str, Judged]) -> Scale:
    """Each set weighs the same."""
    features = np.concatenate([one.features for one in sets.values()])
    truth = np.concatenate([one.answerable for one in sets.values()])
    weights = np.concatenate([np.full(len(one.answerable), 1 / len(one.answerable)) for one in sets.values()])
    model = LogisticRegression(C=100.0).fit(
        features, truth, sample_weight=weights * len(weights) / weights.sum()
    )
    relevance, reading = (round(float(value), 4) for value in model.coef_[0])
    scale = Scale(relevance=relevance, reading=reading, bias=round(float(model.intercept_[0]), 4))
    kept = [float(np.quantile(found(scale, one)[one.answerable], LOST)) for one in sets.values()]
    told = f"{len(truth)} held-out questions of {', '.join(sets)}"
    return scale.model_copy(update={"threshold": round(float(np.mean(kept)), 4), "fitted_on": told})


def found(scale: Scale, one: Judged) -> Numbers:
    return np.array([sigmoid(v) for v in scale.bias + one.features @ [scale.relevance, scale.reading]])


def line(name: str, one: Judged, scale: Scale) -> str:
    truth, without, told = one.answerable, one.relevance, found(scale, one)
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(2000):
        drawn = rng.integers(0, len(truth), len(truth))
        if truth[drawn].any() and not truth[drawn].all():
            differences.append(refused(truth[drawn], told[drawn]) - refused(truth[drawn], without[drawn]))
    low, high = np.quantile(differences, [0.025, 0.975])
    gain = refused(truth, told) - refused(truth, without)
    return (
        f"| {name} | {len(truth)} | {refused(truth, without):.2f} | {refused(truth, told):.2f} "
        f"| {gain:+.2f} ({low:+.2f} to {high:+.2f}) | {roc_auc_score(truth, without):.3f} "
        f"| {roc_auc_score(truth, told):.3f} | {calibration_error(truth, told):.3f} |"
    )


def refused(truth: NDArray[np.bool_], scores: Numbers) -> float:
    return float((scores[~truth] < np.quantile(scores[truth], 1 - ANSWERED)).mean())


def calibration_error(truth: NDArray[np.bool_], told: Numbers, bins: int = 10) -> float:
    place = np.minimum((told * bins).astype(int), bins - 1)
    gaps = [(place == b).mean() * abs(told[place == b].mean() - truth[place == b].mean()) for b in set(place)]
    return float(sum(gaps))


def marked(reader: Reader, groups: Sequence[Group]) -> str:
    """How often the sentence with the highest mark holds the answer, and how often the most similar one."""
    embedder = SentenceTransformersSettings().build()
    lines = ["| | passages | by marks | by token similarity |", "|---|---|---|---|"]
    for origin in ("squad", "nq_open_oracle", *HELD_MANUALS):
        hits = []
        for group in islice((g for g in groups if g.origin == origin and g.items[0].answer), 2 * MOST):
            item = group.items[0]
            spans = sentences(item.passage)
            texts = [item.passage[start:end] for start, end in spans]
            right = [item.answer.lower() in text.lower() for text in texts]
            if len(spans) < 3 or not any(right):
                continue
            (reading,) = reader.read(item.question, [item.passage])
            high = int(reading.starts[reading.marks.argmax()])
            own = next((i for i, (start, end) in enumerate(spans) if start <= high < end), None)
            asked = embedder.embed_question(item.question).tokens
            read = [one.tokens for one in embedder.embed_passages(texts)]
            late = token_bits.maxsim_bits(asked, read)  # type: ignore[arg-type]  # this embedder has tokens
            hits.append((own is not None and right[own], right[int(np.argmax(late))]))
        if hits:
            by = np.mean(hits, axis=0)
            lines.append(f"| {origin} | {len(hits)} | {by[0]:.2f} | {by[1]:.2f} |")
    return "\n".join(lines)


def milliseconds(reader: Reader, asked: Sequence[Shown]) -> float:
    taken = []
    for one in asked[:60]:
        start = time.perf_counter()
        reader.read(one.question, one.texts)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken) * 1000)


def judged(reader: Reader, asked: Sequence[Shown]) -> Judged:
    rows = []
    for one in asked:
        values = [reading.logit for reading in reader.read(one.question, one.texts)]
        rows.append((one.answerable, *evidence(one.relevances, values)))
    truth, relevance, reading = (np.array(column) for column in zip(*rows, strict=True))
    return Judged(truth.astype(bool), relevance, reading)


# --- what is asked ---------------------------------------------------------------------------------


def _kept(work: Path, name: str, ask: Callable[[], Iterator[Shown]]) -> list[Shown]:
    """Searched once: every reader is shown the same."""
    path = work / f"{name}.jsonl"
    if not path.exists():
        rows = [json.dumps([s.question, s.answerable, s.texts, s.relevances]) for s in ask()]
        path.write_text("\n".join(rows), "utf-8")
    lines = path.read_text("utf-8").split("\n")
    return [Shown(q, a, tuple(t), tuple(r)) for q, a, t, r in map(json.loads, lines)]


def _halves(options: argparse.Namespace, name: str, groups: Sequence[Group]) -> Iterator[Shown]:
    collection = Collection.load(options.data / "train" / name, "test")
    rows = {row["_id"]: row for row in read_lines(options.data / "train" / name / "queries.jsonl")}
    wanted = {group.question for group in groups}
    rag = open_index(collection, options.work)
    texts = {id_: text for id_, text in collection.questions.items() if text.strip() in wanted}
    for id_, text in islice(texts.items(), MOST):
        right = {document for document, grade in collection.qrels[id_].items() if grade > 0}
        answers = rows[id_]["metadata"]["answers"]
        ranked = _ranked(rag, text)
        rest = [
            p
            for p in ranked
            if collection.document(p.chunk.source) not in right and not held(answers, p.chunk.text)
        ]
        yield from _twice(text, ranked, rest)


def _manuals(options: argparse.Namespace, groups: Sequence[Group]) -> Iterator[Shown]:
    rag = open_index(Collection("manuals-index", options.work / "manuals", {}, {}), options.work)
    for group in islice((g for g in groups if g.origin in HELD_MANUALS and g.items[0].answer), MOST):
        ranked = _ranked(rag, group.question)
        rest = [p for p in ranked if not _says(p.chunk.text, group.items[0].answer[:60])]
        yield from _twice(group.question, ranked, rest)


def _says(text: str, answer: str) -> bool:
    return "".join(c for c in answer if c.isalnum()) in "".join(c for c in text if c.isalnum())


def _twice(text: str, ranked: Sequence[Passage], rest: Sequence[Passage]) -> Iterator[Shown]:
    if len(rest) != len(ranked):
        yield _shown(text, True, ranked)
        if rest:
            yield _shown(text, False, rest)


def _clapnq(options: argparse.Namespace) -> Iterator[Shown]:
    folder = options.data / "eval" / "clapnq_dev"
    rag = open_index(Collection("clapnq_dev", folder / "corpus.jsonl", {}, {}), options.work)
    for row in read_lines(folder / "queries.jsonl"):
        yield _shown(row["text"], not row["metadata"]["is_impossible"], _ranked(rag, row["text"]))


def _handbook(work: Path) -> Iterator[Shown]:
    rag = open_index(Collection("handbook-index", handbook(), {}, {}), work)
    for row in read_lines(HANDBOOK_QUESTIONS):
        yield _shown(row["text"], row["answerable"], _ranked(rag, row["text"]))


def _shown(text: str, answerable: bool, ranked: Sequence[Passage]) -> Shown:
    best = ranked[:PASSAGES]
    return Shown(text, answerable, tuple(p.chunk.reading for p in best), tuple(p.relevance for p in best))


def _ranked(rag: Rag, text: str) -> Sequence[Passage]:
    question = rag.pipeline.encode(text)
    return rag.pipeline.rerank(question, rag.pipeline.retrieve(question))[0]
