"""A run by one config: ingest its sources, ask its questions, write down the answers and what made them.

Stopped at any moment it goes on where it was, unless something has changed that bears on an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.api import Rag
from rag.contract import answer_json, error_json, ingest_json
from rag.errors import ConfigError, RagError, ServiceError
from rag.protocols import Progress, silent
from rag.runs.journal import AnswerLine, Journal, makeshift
from rag.runs.outcomes import counts, outcomes, spent, stage_times
from rag.runs.provenance import provenance
from rag.runs.questions import AskedQuestion, read_questions
from rag.runs.report import report_html
from rag.second_stage.guards.price import Price
from rag.settings import Settings
from rag.types import IngestReport

Ask = Callable[[Rag, str], dict[str, Any]]


def answered(rag: Rag, question: str) -> dict[str, Any]:
    return answer_json(rag.ask(question))


@dataclass(frozen=True, slots=True)
class RunSummary:
    """`resumed`: answers taken over from an interrupted run. `discarded`: answers that no longer held.
    `makeshift`: answers whose reranking was late or degraded."""

    out: str
    questions: int
    found: int
    not_found: int
    failed: int
    resumed: int
    discarded: int
    makeshift: int
    seconds: float


def run(settings: Settings, config: str, progress: Progress = silent) -> RunSummary:
    """Writes answers.jsonl, run.json and report.html into `run.out`."""
    started = time.perf_counter()
    questions = read_questions(_questions_file(settings, config))
    rag = Rag(settings)
    rag.pipeline.generator()  # a missing key shows now, not after an hour of ingest
    journal = Journal(settings.run.out)
    with journal.held():
        record = _record(rag, config, questions, ingest_sources(rag, progress))
        earlier, kept = resume(journal, record, questions)
        answers = ask_all(rag, questions, kept, journal, progress)
        seconds = round(time.perf_counter() - started, 3)
        record |= _results(questions, answers, seconds, _price_of_writing(settings))
        journal.finish(record, answers, report_html(record, questions, answers))
    return RunSummary(
        out=str(journal.folder),
        **outcomes(answers),
        resumed=len(kept),
        discarded=earlier - len(kept),
        makeshift=sum(map(makeshift, answers)),
        seconds=seconds,
    )


def _record(
    rag: Rag, config: str, questions: Sequence[AskedQuestion], ingested: IngestReport | None
) -> dict[str, Any]:
    return {
        "state": "running",
        "config": config,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(rag, questions),
        "ingest": ingest_json(ingested) if ingested else None,
    }


def _results(
    questions: Sequence[AskedQuestion],
    answers: Sequence[AnswerLine],
    seconds: float,
    writing: Price | None,
) -> dict[str, Any]:
    return {
        "state": "finished",
        "seconds": seconds,
        "counts": counts(questions, answers),
        "milliseconds": stage_times(answers),
        "spent": spent(answers, writing),
    }


def _price_of_writing(settings: Settings) -> Price | None:
    return settings.policy.price(settings.generator.hosted_model())


def _questions_file(settings: Settings, config: str) -> Path:
    if settings.run.questions is None:
        raise ConfigError(
            f"{config} names no questions: set run.questions to a jsonl file with `_id` and `text` a line"
        )
    return settings.run.questions


def ingest_sources(rag: Rag, progress: Progress) -> IngestReport | None:
    """Without sources the index is used as it is."""
    where = rag.settings.run
    if where.sources:
        return rag.ingest(*where.sources, prune=where.prune, progress=progress)
    if rag.settings.retriever.own and not rag.assembly.index.catalog.counts()[0]:
        raise ConfigError(
            f"run.sources is empty, and so is the index in {rag.settings.store.path}: name files or folders"
        )
    return None


def resume(
    journal: Journal, record: dict[str, Any], questions: Sequence[AskedQuestion]
) -> tuple[int, dict[str, AnswerLine]]:
    """How many answers an earlier run left, and those that this one may keep."""
    identity, lines = journal.earlier()
    asked = {question.id for question in questions}
    same = identity == record["identity"]
    kept = {line["_id"]: line for line in lines if same and line.get("_id") in asked}
    journal.start(kept.values(), record)
    return len(lines), kept


def ask_all(
    rag: Rag,
    questions: Sequence[AskedQuestion],
    kept: dict[str, AnswerLine],
    journal: Journal,
    progress: Progress,
    ask: Ask = answered,
) -> list[AnswerLine]:
    """The answers in the order of the questions; each new one is on disk before the next is asked."""
    new = dict(_ask([q for q in questions if q.id not in kept], rag, ask, journal, progress))
    return [kept.get(question.id) or new[question.id] for question in questions]


def _ask(
    questions: Sequence[AskedQuestion], rag: Rag, ask: Ask, journal: Journal, progress: Progress
) -> Iterator[tuple[str, AnswerLine]]:
    if questions:
        rag.pipeline.encode("warm")  # loading the model is no part of the first question's time
    for done, question in enumerate(questions, start=1):
        answer = _line(rag, question, ask)
        journal.append(answer)
        progress("ask", done, len(questions))
        yield question.id, answer


def _line(rag: Rag, question: AskedQuestion, ask: Ask) -> AnswerLine:
    try:
        return {"_id": question.id, **ask(rag, question.text)}
    except ConfigError:
        raise
    except RagError as error:
        if isinstance(error, ServiceError) and error.hopeless:
            raise  # every other question would fail like this one
        return {"_id": question.id, "question": question.text, **error_json(error)}
