"""A run by one config: ingest its sources, ask its questions, write down the answers and what made them.

Stopped at any moment it goes on where it was, unless something has changed that bears on an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.api import Rag
from rag.contract import answer_json, error_json
from rag.errors import ConfigError, RagError, ServiceError
from rag.protocols import Progress, silent
from rag.runs.journal import Journal
from rag.runs.line import AnswerLine
from rag.runs.outcomes import Results, add_up, count, stage_times
from rag.runs.provenance import Provenance, find_provenance
from rag.runs.questions import AskedQuestion, read_questions
from rag.runs.report import report_html
from rag.runs.run_file import RunFile
from rag.second_stage.guards.price import Price
from rag.settings import Settings
from rag.types import IngestReport

# From a question to a document of `rag.contract`.
Ask = Callable[[Rag, str], Mapping[str, Any]]


def ask_for_answer(rag: Rag, question: str) -> Mapping[str, Any]:
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
    _have_an_index(rag)
    rag.pipeline.generator()  # a missing key shows now, not after an hour of ingest
    journal = Journal(settings.run.out)
    with journal.held():
        ingested = ingest_sources(rag, progress)
        file = RunFile(config, now(), find_provenance(rag, questions), ingested)
        earlier, kept = resume(journal, file.provenance, file.document(), questions)
        answers = ask_all(rag, questions, kept, journal, progress)
        results = Results(
            seconds=round(time.perf_counter() - started, 3),
            counts=count(questions, answers),
            milliseconds=stage_times(answers),
            spent=add_up(answers, _price_of_writing(settings)),
        )
        file = replace(file, results=results)
        journal.finish(file.document(), answers, report_html(file, questions, answers))
    fared = results.counts
    return RunSummary(
        out=str(journal.folder),
        questions=fared.questions,
        found=fared.found,
        not_found=fared.not_found,
        failed=fared.failed,
        resumed=len(kept),
        discarded=earlier - len(kept),
        makeshift=sum(answer.makeshift for answer in answers),
        seconds=results.seconds,
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
        raise _nothing_to_ask(rag)
    return None


def _have_an_index(rag: Rag) -> None:
    """The parts are built before the ingest, and they look for one."""
    if rag.settings.run.sources:
        rag.assembly.make_index()
    elif rag.settings.retriever.own and not rag.assembly.has_index:
        raise _nothing_to_ask(rag)


def _nothing_to_ask(rag: Rag) -> ConfigError:
    return ConfigError(
        f"run.sources is empty, and so is the index in {rag.settings.store.path}: name files or folders"
    )


def resume(
    journal: Journal, made_by: Provenance, file: Mapping[str, Any], questions: Sequence[AskedQuestion]
) -> tuple[int, dict[str, AnswerLine]]:
    """How many answers an earlier run left, and those that this one may keep. `file`: for run.json."""
    identity, lines = journal.earlier()
    asked = {question.id for question in questions}
    kept = {line.id: line for line in lines if identity == made_by.identity and line.id in asked}
    journal.start(kept.values(), file)
    return len(lines), kept


def ask_all(
    rag: Rag,
    questions: Sequence[AskedQuestion],
    kept: dict[str, AnswerLine],
    journal: Journal,
    progress: Progress,
    ask: Ask = ask_for_answer,
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
        return AnswerLine.of(question.id, ask(rag, question.text))
    except ConfigError:
        raise
    except RagError as error:
        if isinstance(error, ServiceError) and error.hopeless:
            raise  # every other question would fail like this one
        return AnswerLine.of(question.id, {"question": question.text, **error_json(error)})
