"""Fits the confidence that ships (rag/answers/confidence.json) on training questions; tells what it is worth.

    python scripts/fit_confidence.py --data /path/to/train --write

Two kinds of questions: those about manuals that the reader has not learned from (data/manuals/fit, documents
from Debian's packages), which weigh twice as much as those of four collections (SQuAD, NQ, COVID-QA, LFRQA).
Of the collections a share of the passages is left out: the questions about those have no answer there, as a
user's may have none, and what is nearest is natural. Beside them stand the questions of SQuAD 2.0 that only
look answerable. Every one goes through the real pipeline. An answer is right where it says the fact, or one
of the collection's answers (of LFRQA: cites the passage). Held out are whole manuals.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from manuals.questions import read_questions
from manuals.sets import find_set, lay_out
from manuals.wording import says
from numpy.typing import NDArray
from reader.questions import CHECKED
from reader.train import HELD_OUT
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no stubs
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from rag import Rag, Settings
from rag.answers.confidence import SHIPPED, Model, Models, Risk, features
from rag.evaluation.reliability import calibration_error

PLAIN = ("relevance", "coverage")
READ = ("relevance", "reading", "marks")
# With less of them confidence is too modest of manuals, with more too sure of all else.
MANUALS_SHARE = 2 / 3
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
NOT_SHOWN = 0.01
FOLDS = 5
MANUALS = "manuals"
_LONG = 60


@dataclass(frozen=True, slots=True)
class Collection:
    """`absent`: the share of its passages that are left out; `taken`, `asked`: of its passages and questions
    the shares that are used. `learned`: the reader has learned from all but its held-out documents."""

    name: str
    folder: str
    split: str
    absent: float
    asked: float = 1.0
    taken: float = 1.0
    learned: bool = False


COLLECTIONS = (
    Collection("squad", "squad_dev_v1.1", "test", 0.3, asked=0.8, learned=True),
    Collection("squad2", "squad_dev_v2.0", "train", 0.0, asked=0.5, learned=True),
    Collection("nq", "nq_open_oracle", "test", 0.4, learned=True),
    Collection("covid", "covidqa_200423", "test", 0.3, learned=True),
    Collection("lfrqa", "lfrqa", "test", 0.4, taken=0.2),
)


@dataclass(frozen=True, slots=True)
class Asked:
    origin: str
    text: str
    answers: tuple[str, ...]
    gold: str
    able: bool


@dataclass(frozen=True, slots=True)
class Row:
    """`manual`: those of one are left out together."""

    origin: str
    able: bool
    right: bool
    features: Mapping[str, float]
    manual: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with the collections in BEIR form")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "rag-confidence")
    parser.add_argument(
        "--config", type=Path, help="default: rag's defaults, with the reader if there is one"
    )
    parser.add_argument("--most", type=int, default=2400, help="questions at most")
    parser.add_argument("--write", action="store_true", help="replace rag/answers/confidence.json")
    options = parser.parse_args()
    rows = list(_rows(_opened(options), _questions(options.data)[: options.most]))
    rows += _manual_rows(options)
    plain = _fit(rows, PLAIN)
    read = _fit(rows, READ) if all("reading" in row.features for row in rows) else plain
    for name, model, used in (("without a reader", plain, PLAIN), ("with one", read, READ)):
        print(f"{name}: {[risk.model_dump() for risk in model.risks]}\n{_table(rows, used)}")
    if options.write:
        SHIPPED.write_text(json.dumps(Models(plain=plain, read=read).model_dump(), indent=2) + "\n", "utf-8")


# --- questions, and the index that they are asked of ----------------------------------------


def _questions(data: Path) -> list[Asked]:
    found = [asked for collection in COLLECTIONS for asked in _asked(data, collection)]
    return sorted(found, key=lambda asked: _draw("order", asked.text))


def _asked(data: Path, of: Collection) -> Iterator[Asked]:
    grades = _grades(data / of.folder / "qrels" / f"{of.split}.tsv")
    titles = {line["_id"]: line.get("title", "") for line in _lines(data / of.folder / "corpus.jsonl")}
    for line in _lines(data / of.folder / "queries.jsonl"):
        told = line.get("metadata", {})
        gold = told.get("para") or next(iter(grades.get(line["_id"], ())), "")
        wanted = bool(told.get("is_impossible")) == (of.name == "squad2")
        learned = of.learned and not _held_out_document(titles.get(gold, "") if "para" in told else gold)
        if not wanted or not gold or learned:
            continue
        if _draw("take", gold) < of.taken and _draw("ask", line["_id"]) < of.asked:
            able = of.name != "squad2" and not _left_out(of, gold)
            yield Asked(of.name, line["text"], tuple(told.get("answers", ())), gold, able)


def _held_out_document(name: str) -> bool:
    """As the reader's training holds it out."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < HELD_OUT


def _left_out(of: Collection, id_: str) -> bool:
    return _draw("leave out", id_) < of.absent


def _corpus(data: Path) -> Iterator[dict[str, Any]]:
    for of in COLLECTIONS:
        for line in _lines(data / of.folder / "corpus.jsonl") if of.name != "squad2" else ():
            if _draw("take", line["_id"]) < of.taken and not _left_out(of, line["_id"]):
                yield {**line, "_id": f"{of.name}/{line['_id']}"}


def _opened(options: argparse.Namespace) -> Rag:
    settings = Settings.load(options.config)
    options.work.mkdir(parents=True, exist_ok=True)
    corpus = options.work / "corpus.jsonl"
    if not corpus.exists():
        corpus.write_text("".join(json.dumps(line) + "\n" for line in _corpus(options.data)), "utf-8")
    rag = Rag(_lax(settings, options.work / "index"))
    rag.ingest(corpus)
    return rag


def _lax(settings: Settings, index: Path) -> Settings:
    """Nothing is refused: what the confidence is fitted on must not depend on an earlier one."""
    changed = {
        "store": settings.store.model_copy(update={"path": index}),
        "loader": settings.loader.model_copy(update={"max_bytes": 10**9}),
        "answer": settings.answer.model_copy(update={"unsure_rate": 0.0, "not_found": 0.0}),
    }
    return settings.model_copy(update=changed)


def _rows(rag: Rag, questions: Sequence[Asked]) -> Iterator[Row]:
    began = time.monotonic()
    pipeline = rag.assembly.pipeline
    for turn, asked in enumerate(questions):
        question = pipeline.encode(asked.text)
        found = pipeline.read(pipeline.find(question))
        if not found.passages:
            continue
        reply = pipeline.generator().generate(question, found.passages)
        sources = {found.passages[quote.marker - 1].chunk.source for quote in reply.quotes}
        if asked.answers:
            said = f" {_words(reply.text)} "
            right = any(_holds(said, words) for words in map(_words, asked.answers) if words)
        else:
            right = any(source.endswith(f"/{asked.gold}") for source in sources)
        yield Row(asked.origin, asked.able, asked.able and right, features(asked.text, found.passages))
        if turn % 200 == 199:
            print(f"{turn + 1} of {len(questions)} questions, {time.monotonic() - began:.0f} s", flush=True)


def _manual_rows(options: argparse.Namespace) -> Iterator[Row]:
    for manual in map(find_set, CHECKED):
        folder, _ = lay_out(manual, options.work)
        rag = Rag(_lax(Settings.load(options.config), options.work / f"index-{manual.name}"))
        rag.ingest(folder)
        pipeline = rag.assembly.pipeline
        for asked in read_questions(manual):
            question = pipeline.encode(asked.text)
            found = pipeline.read(pipeline.find(question))
            if found.passages:
                said = pipeline.generator().generate(question, found.passages).text
                right = asked.answerable and says(said, asked.fact)
                told = features(asked.text, found.passages)
                yield Row(MANUALS, asked.answerable, right, told, manual.name)


def _holds(said: str, answer: str) -> bool:
    """A long one, such as a judged sentence, may have been quoted in part."""
    return f" {answer} " in said or (len(answer) > _LONG and answer[:_LONG] in said)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _draw(*names: str) -> float:
    return int(hashlib.sha256("\0".join(names).encode()).hexdigest()[:8], 16) / 2**32


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _grades(path: Path, least: int = 1) -> Mapping[str, list[str]]:
    found = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if int(row["score"]) >= least:
                found[row["query-id"]].append(row["corpus-id"])
    return found


# --- the model --------------------------------------------------------------------------------


def _fit(rows: Sequence[Row], names: Sequence[str]) -> Model:
    bias, weights = _logistic(rows, names)
    held_out = _held_out(rows, names)
    able = np.array([row.able for row in rows])
    shares = _weights(rows)
    natural = ~able & np.array([row.origin != "squad2" for row in rows])
    risks = []
    for share in SHARES:
        threshold = _quantile(held_out[able], shares[able], share)
        answered = float(np.average(held_out[natural] >= threshold, weights=shares[natural]))
        risks.append(Risk(threshold=round(threshold, 4), unsure=share, answered=round(answered, 3)))
    counted = Counter(row.origin for row in rows)
    return Model(
        bias=round(bias, 4),
        weights={name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)},
        not_found=round(_quantile(held_out[able], shares[able], NOT_SHOWN), 4),
        risks=tuple(risks),
        fitted_on="questions: " + ", ".join(f"{count} of {origin}" for origin, count in counted.items()),
    )


def _weights(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Questions about manuals weigh twice as much as all the others."""
    manuals = np.array([row.origin == MANUALS for row in rows])
    there = MANUALS_SHARE / max(manuals.sum(), 1)
    weights: NDArray[np.float64] = np.where(manuals, there, (1 - MANUALS_SHARE) / max((~manuals).sum(), 1))
    return weights


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, share)])


def _logistic(rows: Sequence[Row], names: Sequence[str]) -> tuple[float, NDArray[np.float64]]:
    values, right = _matrix(rows, names), np.array([row.right for row in rows])
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    weights = _weights(rows) * len(rows) / 2
    model = LogisticRegression(C=0.3, max_iter=1000)
    model.fit((values - mean) / spread, right, sample_weight=weights)
    scaled = model.coef_[0] / spread
    return float(model.intercept_[0] - scaled @ mean), scaled


def _held_out(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float64]:
    """Each question's confidence by a model that has not seen it, nor any about the same manual."""
    folds = np.array([row.manual or str(turn % FOLDS) for turn, row in enumerate(rows)])
    told = np.zeros(len(rows))
    for fold in sorted(set(folds)):
        bias, weights = _logistic([row for row, of in zip(rows, folds, strict=True) if of != fold], names)
        values = _matrix([row for row, of in zip(rows, folds, strict=True) if of == fold], names)
        told[folds == fold] = 1 / (1 + np.exp(-(values @ weights + bias)))
    return told


def _matrix(rows: Iterable[Row], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[row.features[name] for name in names] for row in rows])


def _table(rows: Sequence[Row], names: Sequence[str]) -> str:
    told = _held_out(rows, names)
    lines = [
        "| | questions | right | area | refused at 90% answered | calibration error |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for origins in (("squad", "squad2"), ("nq",), ("covid",), ("lfrqa",), (MANUALS,)):
        chosen = np.array([row.origin in origins for row in rows])
        if not chosen.any():
            continue
        able = np.array([row.able for row in rows])[chosen]
        right = np.array([row.right for row in rows])[chosen]
        said = told[chosen]
        cells = (
            " and ".join(origins),
            str(len(said)),
            f"{right.mean():.2f}",
            f"{roc_auc_score(able, said):.3f}",
            f"{np.mean(said[~able] < np.quantile(said[able], 0.1)):.2f}",
            f"{calibration_error(said, right):.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
