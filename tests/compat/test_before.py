"""What version 0.1.0 has left on a disk opens unchanged: index, calibration, model, config, run, feedback.

before.tar.xz was made by the command line of that version, all in one folder: `rag ingest`, `calibrate`,
`run`, `feedback` over five documents, and `train --force` of a bi-encoder of ten thousand weights.
"""

from __future__ import annotations

import json
import tarfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag import Rag, Settings
from rag.feedback import FILE, read_feedback
from rag.index.fingerprint import fingerprint, vectors_by
from rag.inspection.models_in_use import models_in_use
from rag.loaders import LOADER_VERSION
from rag.runs.journal import Journal
from rag.runs.run import run
from rag.types import Passage

BEFORE = Path(__file__).parent / "before.tar.xz"
REMEDY = "rag rebuild --embed"
VECTORS = "sentence-transformers/all-MiniLM-L6-v2@53aa51172d142c89 384d window=256 prompts=''/'' tokens=1bit"
PASSAGES = "structure tokens=62 overlap=0 headings=True/24"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "before"


@pytest.fixture
def old(before: Path) -> Any:
    with chdir(before):
        yield Rag(Settings.load("config.yaml"))


def answered(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run" / "answers.jsonl").read_text("utf-8").splitlines()]


def cuts_as_before(rag: Rag) -> bool:
    """Whether today's chunker makes the same passages of the same document."""
    return rag.assembly.chunker.fingerprint == PASSAGES


def told(passages: list[dict[str, Any]]) -> list[tuple[str, int, int, str]]:
    return [(p["source"], p["start"], p["end"], p["text"]) for p in passages]


def shown(passages: tuple[Passage, ...]) -> list[tuple[str, int, int, str]]:
    return [(p.chunk.source, p.chunk.start, p.chunk.end, p.chunk.text) for p in passages]


def test_the_index_answers_every_question_from_the_same_passages(before: Path, old: Rag) -> None:
    for answer in answered(before):
        found = old.search(answer["question"])
        assert shown(tuple(found.passages)) == told(answer["passages"])
        relevances = [passage.relevance for passage in found.passages]
        assert relevances == pytest.approx([p["relevance"] for p in answer["passages"]], abs=0.02)


def test_an_index_whose_passages_would_be_cut_otherwise_today_says_how_to_have_them_so(old: Rag) -> None:
    notes = " ".join(old.search("When is the tower open?").trace.notes)
    assert (REMEDY in notes) is not cuts_as_before(old)


def test_the_fingerprint_is_the_same_byte_for_byte(old: Rag) -> None:
    parts = old.assembly
    assert parts.index.catalog.meta("fingerprint") == f"{VECTORS}; {PASSAGES}"
    assert vectors_by(parts.embedder.card) == VECTORS
    if cuts_as_before(old):
        assert fingerprint(parts.embedder.card, parts.chunker) == f"{VECTORS}; {PASSAGES}"


def test_unchanged_files_are_neither_read_nor_encoded_again(old: Rag) -> None:
    report = old.ingest("docs")
    assert (report.new, report.removed, report.skipped) == (0, 0, ())
    if cuts_as_before(old) and LOADER_VERSION == "1":
        assert (report.unchanged, report.changed, report.embedded) == (5, 0, 0)


def test_what_was_encoded_is_not_encoded_again_by_a_rebuild(old: Rag) -> None:
    encoded: list[int] = []
    chunks = old.rebuild(embed=True, progress=lambda what, done, of: encoded.append(of * (what == "embed")))
    if cuts_as_before(old):
        assert (chunks, max(encoded)) == (17, 0)
    assert old.search("How many steps are there in the tower?").passages


def test_the_calibration_applies(before: Path, old: Rag) -> None:
    kept = yaml.safe_load((before / "calibration.yaml").read_text())
    calibration = old.pipeline.calibration
    assert (calibration.weights, calibration.bias) == (kept["weights"], kept["bias"])
    assert calibration.fitted_on == "25 questions of questions"
    now = old.assembly.scored_with(old.settings.reranker)
    assert {**now, "index": ""} == {**kept["fingerprint"], "index": ""}
    if cuts_as_before(old):
        assert now == kept["fingerprint"]
        assert not calibration.warning


def test_the_config_loads_and_says_what_it_said(before: Path, old: Rag) -> None:
    loaded = json.loads(old.settings.model_dump_json())
    for section, values in yaml.safe_load((before / "config.yaml").read_text()).items():
        for key, value in values.items():
            now = loaded[section][key]
            if section == "policy" and key == "fallback":
                assert [member["kind"] for member in now] == [member["kind"] for member in value]
            elif isinstance(value, dict):
                assert value.items() <= now.items()
            else:
                assert now == value, f"{section}.{key}"


def test_the_answers_of_a_run_are_read_and_a_run_goes_on_in_its_folder(before: Path, old: Rag) -> None:
    _, lines = Journal(before / "run").earlier()
    assert [line.id for line in lines] == [answer["_id"] for answer in answered(before)]
    summary = run(old.settings, "config.yaml")
    assert (summary.questions, summary.failed) == (25, 0)
    assert summary.resumed + summary.discarded == 25


def test_verdicts_of_users_are_read(before: Path) -> None:
    (kept,) = read_feedback(before / "index" / FILE)
    assert (kept.question, kept.good, kept.note) == (
        "How many steps are there in the tower?",
        True,
        "counted them",
    )
    assert "148 steps" in kept.passages[0].text


def test_a_trained_model_is_used_with_its_calibration_and_tells_what_it_was_trained_on(before: Path) -> None:
    trained = {"embedder": {"model": "model"}, "reranker": {"calibration": "model/calibration.yaml"}}
    with chdir(before):
        Path("trained.yaml").write_text(
            yaml.safe_dump({"store": {"path": "mine"}, "chunker": {"tokens": 128}, **trained})
        )
        rag = Rag(Settings.load("trained.yaml"))
        rag.ingest("docs")
        assert vectors_by(rag.assembly.embedder.card).startswith("model@0af3e4374e429075 16d window=160 ")
        calibration = rag.pipeline.calibration
        assert calibration.fitted_on == "8 held-out questions, by rag train"
        if rag.assembly.chunker.fingerprint == "structure tokens=126 overlap=0 headings=True/48":
            assert not calibration.warning
        assert rag.search("When is the tower open?").trace.candidates
        (model,) = [model for model in models_in_use(rag.settings) if model.folder == "model"]
        assert model.version == "trained by rag 0.1.0, seed 0"
        assert "52 questions and 0 titles of shelves" in model.trained_on
