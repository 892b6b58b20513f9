#!/usr/bin/env python
"""Fits the scale of a reader, and judges it: who is refused with it, and who without.

    python scripts/fit_reader.py --reader FOLDER --data DIR --work DIR [--write]

The scale is a logistic model over the best relevance and what was read, fitted on questions that the
reader's training held out, each asked twice: of the whole collection, and of what is left of it without
the documents that answer. To them come WikiQA's dev questions, of which more than half have no answer.
Its threshold is where nineteen in twenty of the answerable ones are answered. Judged on CLAPNQ and on
the handbook, of which nothing was trained or fitted: the share of unanswerable questions refused where
90% of the answerable ones are answered, with the interval of the difference by bootstrap over questions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from beir import Collection, open_index, read_lines
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no stubs
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from train_reader import Config, held_out_questions

from rag import Rag
from rag.answers.reader import Scale, evidence
from rag.calibration import sigmoid
from rag.files.shipped import handbook
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.types import Passage

HANDBOOK_QUESTIONS = Path(__file__).parent.parent / "data" / "questions" / "questions.jsonl"
Numbers = NDArray[np.float64]

FITTED_ON = (
    ("train/squad_dev_v1.1", "test"),
    ("train/nq_open_oracle", "test"),
    ("train/pubmedqa_pqal", "test"),
    ("eval/scifact", "train"),
    ("eval/nfcorpus", "train"),
)
PASSAGES = 5
LOST = 0.05
ANSWERED = 0.9


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    answerable: bool
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Of one set: whether each question has an answer, its best relevance as a logit, and the reading."""

    answerable: NDArray[np.bool_]
    relevance: Numbers
    reading: Numbers

    @property
    def features(self) -> Numbers:
        return np.stack([self.relevance, self.reading], axis=1)


def main() -> None:
    options = _options()
    pairs = load_cross_encoder(options.reader, "auto", "auto", None)
    held = held_out_questions(options.reader, Config())
    fitted = {name: _read(pairs, _halves(options, name, split, held)) for name, split in FITTED_ON}
    fitted["train/wikiqa"] = _read(pairs, _wikiqa(options.data, options.work))
    scale = fit(fitted)
    print(scale.model_dump_json(indent=1))
    if options.write:
        (options.reader / "scale.json").write_text(scale.model_dump_json(indent=1) + "\n")
    judged = {"CLAPNQ": _clapnq(options.data, options.work), "handbook": _handbook(options.work)}
    print("| | questions | refused without | refused with | difference | area without | area with |")
    print("|---|---|---|---|---|---|---|")
    for name, read in {**fitted, **{n: _read(pairs, asked) for n, asked in judged.items()}}.items():
        print(line(name, read, scale))
    print(f"\n{milliseconds(pairs, judged['CLAPNQ']):.0f} ms to read five passages, in the median")


def fit(sets: dict[str, Read]) -> Scale:
    """Each set weighs the same."""
    features = np.concatenate([read.features for read in sets.values()])
    truth = np.concatenate([read.answerable for read in sets.values()])
    weights = np.concatenate([np.full(len(r.answerable), 1 / len(r.answerable)) for r in sets.values()])
    model = LogisticRegression(C=100.0).fit(
        features, truth, sample_weight=weights * len(weights) / weights.sum()
    )
    relevance, reading = (round(float(value), 4) for value in model.coef_[0])
    scale = Scale(relevance=relevance, reading=reading, bias=round(float(model.intercept_[0]), 4))
    kept = [float(np.quantile(found(scale, read)[read.answerable], LOST)) for read in sets.values()]
    threshold = round(float(np.mean(kept)), 4)
    questions = sum(len(read.answerable) for read in sets.values())
    return scale.model_copy(
        update={"threshold": threshold, "fitted_on": f"{questions} held-out questions of {', '.join(sets)}"}
    )


def found(scale: Scale, read: Read) -> Numbers:
    return np.array([sigmoid(v) for v in scale.bias + read.features @ [scale.relevance, scale.reading]])


def line(name: str, read: Read, scale: Scale) -> str:
    truth, without, told = read.answerable, read.relevance, found(scale, read)
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
        f"| {gain:+.2f} ({low:+.2f} to {high:+.2f}) "
        f"| {roc_auc_score(truth, without):.3f} | {roc_auc_score(truth, told):.3f} |"
    )


def refused(truth: NDArray[np.bool_], scores: Numbers) -> float:
    return float((scores[~truth] < np.quantile(scores[truth], 1 - ANSWERED)).mean())


def milliseconds(pairs: CrossEncoder, asked: Sequence[Asked]) -> float:
    taken = []
    for one in asked[:100]:
        start = time.perf_counter()
        pairs.score(one.question, [p.chunk.reading for p in one.passages], None, 1024)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken) * 1000)


def _read(pairs: CrossEncoder, asked: Iterable[Asked]) -> Read:
    rows = []
    for one in asked:
        values, _ = pairs.score(one.question, [p.chunk.reading for p in one.passages], None, 1024)
        rows.append((one.answerable, *evidence([p.relevance for p in one.passages], values)))
    truth, relevance, reading = (np.array(column) for column in zip(*rows, strict=True))
    return Read(truth.astype(bool), relevance, reading)


def _halves(options: argparse.Namespace, name: str, split: str, held: frozenset[str]) -> Iterator[Asked]:
    collection = Collection.load(options.data / name, split)
    texts = {id_: text for id_, text in collection.questions.items() if text.strip() in held}
    rag = open_index(collection, options.work)
    for id_, text in texts.items():
        right = {document for document, grade in collection.qrels[id_].items() if grade > 0}
        ranked = _ranked(rag, text)
        rest = [p for p in ranked if collection.document(p.chunk.source) not in right]
        for answerable, passages in ((True, ranked), (False, rest)):
            if passages:
                yield Asked(text, answerable, tuple(passages[:PASSAGES]))


def _wikiqa(data: Path, work: Path) -> Iterator[Asked]:
    """Its sentences put together as the articles' beginnings that they were taken from."""
    folder = data / "train/wikiqa"
    articles: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for row in read_lines(folder / "corpus.jsonl"):
        document, _, place = row["_id"].partition("-")
        articles[document].append((int(place), row["title"], row["text"]))
    corpus = work / "wikiqa.jsonl"
    corpus.parent.mkdir(parents=True, exist_ok=True)
    made = [
        {"_id": id_, "title": rows[0][1], "text": " ".join(text for _, _, text in sorted(rows))}
        for id_, rows in articles.items()
    ]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    rag = open_index(Collection("wikiqa", corpus, {}, {}), work)
    grades: dict[str, list[int]] = defaultdict(list)
    for line_ in (folder / "qrels" / "dev.tsv").read_text("utf-8").strip().split("\n")[1:]:
        question, _, grade = line_.split("\t")
        grades[question].append(int(grade))
    for row in read_lines(folder / "queries.jsonl"):
        if row["_id"] in grades:
            yield _asked(rag, row["text"], any(grade > 0 for grade in grades[row["_id"]]))


def _clapnq(data: Path, work: Path) -> list[Asked]:
    folder = data / "eval/clapnq_dev"
    rag = open_index(Collection("clapnq_dev", folder / "corpus.jsonl", {}, {}), work)
    rows = read_lines(folder / "queries.jsonl")
    return [_asked(rag, row["text"], not row["metadata"]["is_impossible"]) for row in rows]


def _handbook(work: Path) -> list[Asked]:
    rag = open_index(Collection("handbook", handbook(), {}, {}), work)
    return [_asked(rag, row["text"], row["answerable"]) for row in read_lines(HANDBOOK_QUESTIONS)]


def _asked(rag: Rag, text: str, answerable: bool) -> Asked:
    return Asked(text, answerable, tuple(_ranked(rag, text)[:PASSAGES]))


def _ranked(rag: Rag, text: str) -> Sequence[Passage]:
    question = rag.pipeline.encode(text)
    return rag.pipeline.rerank(question, rag.pipeline.retrieve(question))[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reader", type=Path, required=True, help="a folder that train_reader.py has made")
    parser.add_argument("--data", type=Path, required=True, help="as for train_reader.py")
    parser.add_argument("--work", type=Path, default=Path("runs/reader"), help="where the indexes are kept")
    parser.add_argument("--write", action="store_true", help="write scale.json into the reader's folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
