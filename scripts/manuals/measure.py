"""The measure: sets, the handbook and collections in BEIR form, asked, counted, shown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rag
from manuals.asking import Collection, Outcome, ask_all
from manuals.check import missing_facts
from manuals.figures import figures, table
from manuals.manual_set import ManualSet
from manuals.questions import ManualQuestion, read_questions
from manuals.sets import Unavailable, lay_out

ROOT = Path(__file__).parent.parent.parent
_UNSEEN_HALF = "held questions are counted, not looked at: --show goes with --half work"


def measure(sets: Sequence[ManualSet], options: argparse.Namespace) -> int:
    if options.show and options.half != "work":
        print(_UNSEEN_HALF, file=sys.stderr)
        return 2
    asked: dict[str, list[Outcome]] = {}
    for collection in _collections(sets, options):
        print(f"asking {collection.name}", file=sys.stderr, flush=True)
        asked[collection.name] = ask_all(collection, options.config, options.cache)
    manuals = [outcome for manual in sets for outcome in asked[manual.name]]
    together = {"all manuals": figures(manuals)} if len(sets) > 1 else {}
    measured = {name: figures(outcomes) for name, outcomes in asked.items()} | together
    _tell(measured, options)
    if options.show:
        print("\n".join(line for outcome in manuals for line in failure(outcome)))
    return 0


def _tell(measured: dict[str, dict[str, float | None]], options: argparse.Namespace) -> None:
    rounded = {
        name: {key: value if value is None else round(value, 4) for key, value in values.items()}
        for name, values in measured.items()
    }
    if options.json:
        print(json.dumps({"half": options.half, "rag": rag.__file__, "figures": rounded}, indent=1))
    else:
        print(f"half: {options.half}\n\n{table(measured)}")


def failure(outcome: Outcome) -> Iterator[str]:
    """What went wrong with one question, to work on; nothing where nothing did."""
    question = outcome.question
    wrong = not (outcome.right and outcome.answered) if question.answerable else outcome.answered
    if not wrong and not outcome.misquoted:
        return
    sure = f"{outcome.state}, confidence {outcome.confidence:.2f}, relevance {outcome.relevance:.2f}"
    yield f"--- {question.id}: {question.text} ({sure})"
    if question.answerable:
        places = "".join("x" if gold else "." for gold in outcome.gold)
        there = "in" if outcome.fact_in_passages else "not in"
        yield f"fact: {question.fact} ({there} the passages; pages {places or 'none'}: {question.anchors})"
    yield from (f"misquoted: {line}" for line in outcome.misquoted)
    yield outcome.text


def _collections(sets: Sequence[ManualSet], options: argparse.Namespace) -> Iterator[Collection]:
    for manual in sets:
        folder, _ = lay_out(manual, options.cache)
        lost = missing_facts(manual, options.cache)
        if lost:
            print(
                f"{manual.name}: the documents no longer say it: {', '.join(sorted(lost))}", file=sys.stderr
            )
        yield Collection(manual.name, folder, of_half(manual, options.half, lost))
    if not options.set:
        yield _handbook()
    for folder in options.data:
        yield _beir(folder)


def of_half(manual: ManualSet, half: str, lost: frozenset[str]) -> tuple[ManualQuestion, ...]:
    chosen = tuple(q for q in read_questions(manual) if q.half == half and q.id not in lost)
    if not chosen:
        raise Unavailable(
            f"{manual.name}: none of its questions is of the half {half!r}, give another --half"
        )
    return chosen


def _handbook() -> Collection:
    """Its questions name pages and no facts."""
    folder = ROOT / "data" / "questions"
    good = _judged(folder / "qrels" / "test.tsv", least=2)
    lines = _lines(folder / "questions.jsonl")
    questions = (_unhalved(line, line["answerable"], good.get(line["_id"], ())) for line in lines)
    return Collection("handbook", ROOT / "data" / "handbook", tuple(questions))


def _beir(folder: Path) -> Collection:
    """A folder whose questions say, as SQuAD's do, which have no answer."""
    good = _judged(folder / "qrels" / "test.tsv", least=1)
    lines = _lines(folder / "queries.jsonl")
    questions = (
        _unhalved(line, not line["metadata"]["is_impossible"], good.get(line["_id"], ())) for line in lines
    )
    return Collection(folder.name, folder / "corpus.jsonl", tuple(questions))


def _unhalved(line: dict[str, Any], answerable: bool, pages: Sequence[str]) -> ManualQuestion:
    return ManualQuestion(line["_id"], line["text"], answerable, half="", pages=tuple(pages))


def _judged(path: Path, least: int) -> dict[str, list[str]]:
    good: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        if int(grade) >= least:
            good.setdefault(question, []).append(document)
    return good


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
