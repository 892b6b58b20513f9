"""docs/json.md says what the types say: each documented object has the keys of one dataclass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from support.arms import PROVENANCE, STARTED, failed, line
from support.docs import rows
from support.places import ROOT

from rag import Rag
from rag.contract import UsedPassage, answer_json, ingest_json, search_json, to_json
from rag.evaluation.calibrate import CalibrationSummary
from rag.evaluation.compare import ComparisonSummary
from rag.evaluation.drafting import DraftsSummary
from rag.evaluation.summary import QuestionLine, Summary
from rag.evaluation.tune import TuningSummary
from rag.feedback import Feedback
from rag.inspection.models_in_use import Model
from rag.inspection.status import Status
from rag.inspection.why import Absence
from rag.runs.costs import Costs
from rag.runs.line import AnswerLine
from rag.runs.outcomes import Results, add_up, count, stage_times
from rag.runs.run import RunSummary
from rag.runs.run_file import RunFile
from rag.second_stage.score_store import CacheStatus
from rag.training.plan import PlanSummary
from rag.training.trained import TrainedSummary
from rag.types import CandidateTrace, Citation, GenerateTrace, IngestReport, ReadTrace, RerankTrace, Trace

PAGE = ROOT / "docs" / "json.md"
QUESTION = "How do I reset the tracker?"
SECTIONS: dict[str, Any] = {
    "ingest": IngestReport,
    "citation": Citation,
    "passage": UsedPassage,
    "trace": Trace,
    "rerank": RerankTrace,
    "read": ReadTrace,
    "generate": GenerateTrace,
    "candidate": CandidateTrace,
    "feedback entry": Feedback,
    "why": Absence,
    "status": Status,
    "plan": Costs,
    "cache": CacheStatus,
    "run": RunSummary,
    "model": Model,
    "eval": Summary,
    "compare": ComparisonSummary,
    "calibrate": CalibrationSummary,
    "tune": TuningSummary,
    "questions": DraftsSummary,
    "train": TrainedSummary,
    "train --plan": PlanSummary,
}
# What a command adds to the dataclass.
ADDED = {"status": {"sources"}, "plan": {"cost"}}
# Words by which a row refers to where the keys stand.
ELSEWHERE = ("see below", "as in", "as above", "prints it", "each config's", "one of these", "row of the")


@pytest.fixture(scope="module")
def documented() -> Mapping[str, Mapping[str, str]]:
    return rows(PAGE)


def keys(kind: Any) -> set[str]:
    return {field.metadata.get("key", field.name) for field in fields(kind)}


def parts(hint: Any) -> Iterator[Any]:
    """The dataclasses that a field may hold, one deep or inside a list or a mapping."""
    if is_dataclass(hint):
        yield hint
    for argument in get_args(hint):
        yield from parts(argument)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_object_has_the_keys_that_are_documented(
    section: str, documented: Mapping[str, Mapping[str, str]]
) -> None:
    assert keys(SECTIONS[section]) | ADDED.get(section, set()) == documented[section].keys()


@pytest.mark.parametrize("section", SECTIONS)
def test_what_an_object_holds_is_documented_in_its_row(
    section: str, documented: Mapping[str, Mapping[str, str]]
) -> None:
    hints = get_type_hints(SECTIONS[section])
    for field in fields(SECTIONS[section]):
        row = documented[section][field.metadata.get("key", field.name)]
        if not any(word in row for word in ELSEWHERE):
            for part in parts(hints[field.name]):
                assert {key for key in keys(part) if f"`{key}`" not in row} == set(), f"{section}: {row}"


def test_what_the_commands_print_has_these_keys(
    handbook: Rag, documented: Mapping[str, Mapping[str, str]]
) -> None:
    answer = answer_json(handbook.ask(QUESTION))
    assert answer.keys() == documented["ask"].keys()
    assert answer["passages"][0].keys() == documented["passage"].keys()
    assert search_json(handbook.search(QUESTION)).keys() == documented["search"].keys()
    assert ingest_json(IngestReport(0, 0, 0, 0, (), 0, 0, 0.0)).keys() == documented["ingest"].keys()


def test_a_line_of_answers_is_what_ask_prints_and_comes_back_whole(handbook: Rag) -> None:
    document = answer_json(handbook.ask(QUESTION))
    assert keys(AnswerLine) == document.keys() | {"id", "error"}
    kept = AnswerLine.of("q1", document)
    assert kept.document() == {"_id": "q1", **to_json(document)}
    assert AnswerLine.read(kept.document()) == kept
    searched = search_json(handbook.search(QUESTION))
    assert AnswerLine.of("q1", searched).document() == {"_id": "q1", "found": False, **to_json(searched)}


def test_a_line_of_a_failed_question_tells_the_question_and_the_error() -> None:
    assert failed("q1").document().keys() == {"_id", "question", "error"}
    assert AnswerLine.read({"_id": "q1"}) is None


def test_the_files_of_a_run_are_documented(documented: Mapping[str, Mapping[str, str]]) -> None:
    lines = [line("q1")]
    results = Results(1.0, count([], []), stage_times(lines), add_up(lines))
    file = RunFile("a.yaml", STARTED, PROVENANCE, None, results).document()
    section = documented["run.json"]
    assert file.keys() == section.keys()
    for name in ("models", "index", "counts", "spent"):
        assert {key for key in file[name] if f"`{key}`" not in section[name]} == set()
    text = PAGE.read_text("utf-8")
    described = text[text.index("A line of `questions.jsonl`") :].split("\n\n")[0]
    assert {key for key in keys(QuestionLine) if f"`{key}`" not in described} == set()
