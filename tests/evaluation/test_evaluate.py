"""`rag eval`: ranking before and after reranking, answers, time; resumed where it was stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ir_measures
import pytest
from ir_measures import nDCG
from support.arms import arm, evaluation, failed, line, question, with_relevant_at
from support.places import ROOT

from rag import InputError, Settings
from rag.contract import to_json
from rag.evaluation.answers import exact_match, score_answer, summarise_answers, token_f1
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate, open_for
from rag.evaluation.scoring import Evaluation, Options, check_judged, explain_flaws
from rag.evaluation.summary import DIGITS, question_line, summarise
from rag.protocols import silent
from rag.types import Citation, CitationStatus, RerankStatus

QUESTIONS = ROOT / "data" / "questions"
TIMED = {"latency_ms", "folder"}


class Stop(BaseException):
    """What a kill looks like from inside."""


def stop_after(number: int) -> Any:
    def progress(stage: str, done: int, total: int) -> None:
        if stage == "ask" and done == number:
            raise Stop

    return progress


@pytest.fixture(scope="module")
def sample() -> Dataset:
    return Dataset.load(QUESTIONS).sample(14, seed=5)


@pytest.fixture(scope="module")
def done(
    handbook_settings: Settings, sample: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    out = tmp_path_factory.mktemp("eval")
    return evaluate(handbook_settings, "handbook.yaml", sample, out, Options(), silent)


# --- on the handbook -----------------------------------------------------------------------


def test_it_ranks_answers_and_times_in_one_pass(done: Evaluation, sample: Dataset) -> None:
    found = summarise(done)
    assert found.questions == 14
    assert found.ranked == len(sample.labelled)
    assert {"ndcg@10", "mrr", "map", "recall@10", "recall@50", "success@10"} <= found.before.keys()
    assert found.before.keys() == found.after.keys()
    assert found.after["ndcg@10"] > 0.6
    assert {"encode", "retrieve", "rerank", "select", "generate", "total"} <= found.latency_ms.keys()
    assert found.answers.answerable + found.answers.unanswerable == 14
    assert found.answers.citations_resolved == 1.0
    assert found.failed == found.degraded == found.synthetic == 0


def test_before_is_the_order_of_the_first_stage_and_after_what_users_see(
    done: Evaluation, handbook_settings: Settings
) -> None:
    from rag import Rag

    rag = Rag(handbook_settings)
    one = done.ranked[0]
    before = [candidate.chunk.source for candidate in rag.retrieve(one.question.text)]
    shown = [row.source for row in one.candidates]
    assert [row.source for row in sorted(one.candidates, key=lambda row: row.fused_rank)] == before
    assert sorted(shown) == sorted(before)


def test_trec_eval_reads_the_run_files_and_finds_the_same(done: Evaluation) -> None:
    qrels = list(ir_measures.read_trec_qrels(str(done.folder / "qrels.trec")))  # type: ignore[no-untyped-call]
    for which in ("before", "after"):
        run = list(ir_measures.read_trec_run(str(done.folder / f"{which}.trec")))  # type: ignore[no-untyped-call]
        found = ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10]
        assert found == pytest.approx(done.means(which)["ndcg@10"], abs=1e-6)


def test_every_question_has_its_line_of_figures(done: Evaluation) -> None:
    lines = [json.loads(row) for row in (done.folder / "questions.jsonl").read_text().splitlines()]
    assert [row["_id"] for row in lines] == [q.id for q in done.dataset.questions]
    assert all(row["ms"] > 0 for row in lines)
    assert lines == [to_json(question_line(one), DIGITS) for one in done.scored]


def test_a_second_run_asks_nothing_and_finds_the_same(
    done: Evaluation, handbook_settings: Settings, sample: Dataset
) -> None:
    answers = (done.folder / "answers.jsonl").read_bytes()
    again = evaluate(handbook_settings, "handbook.yaml", sample, done.folder, Options(), silent)
    assert summarise(again) == summarise(done)
    assert (done.folder / "answers.jsonl").read_bytes() == answers
    assert json.loads((done.folder / "run.json").read_text())["state"] == "finished"


def test_another_folder_gives_the_same_figures_but_for_the_times(
    done: Evaluation, handbook_settings: Settings, sample: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        evaluate(handbook_settings, "handbook.yaml", sample, tmp_path, Options(), stop_after(6))
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 6
    resumed = evaluate(handbook_settings, "handbook.yaml", sample, tmp_path, Options(), silent)
    for name in ("before.trec", "after.trec", "qrels.trec"):
        assert (tmp_path / name).read_bytes() == (done.folder / name).read_bytes()
    ours, theirs = asdict(summarise(resumed)), asdict(summarise(done))
    assert {k: v for k, v in ours.items() if k not in TIMED} == {
        k: v for k, v in theirs.items() if k not in TIMED
    }


def test_search_alone_asks_no_generator_and_ranks_the_same(
    done: Evaluation, handbook_settings: Settings, sample: Dataset, tmp_path: Path
) -> None:
    found = summarise(evaluate(handbook_settings, "h.yaml", sample, tmp_path, Options(answers=False), silent))
    assert found.after == summarise(done).after
    assert "generate" not in found.latency_ms
    assert found.answers.exact_match is None
    assert found.answers.recall is not None


def test_judgements_of_other_documents_are_refused_before_any_question(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    strange = Dataset("strange", (question("q1", relevant="nowhere.md"),))
    with pytest.raises(InputError, match=r"none of the 1 documents.*nowhere\.md"):
        evaluate(handbook_settings, "h.yaml", strange, tmp_path / "out", Options(), silent)
    assert not (tmp_path / "out").exists()


def test_documents_that_a_dataset_brings_along_are_indexed_apart(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "p1", "title": "", "text": "The spare fuse is kept in the red drawer."}\n'
        '{"_id": "p2", "title": "", "text": "Soup is served at seven in the evening."}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "Where is the spare fuse?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tp1\t1\n")
    data = Dataset.load(folder)
    settings = Settings(store={"path": tmp_path / "mine"})  # type: ignore[arg-type]  # pydantic validates
    options = Options(indexes=tmp_path / "indexes")
    found = evaluate(settings, "c.yaml", data, tmp_path / "out", options, silent)
    assert found.means("after")["ndcg@10"] == 1.0
    assert not (tmp_path / "mine").exists(), "the user's own index is left alone"
    other = settings.model_copy(update={"chunker": settings.chunker.model_copy(update={"tokens": 64})})
    open_for(other, data, options.indexes, silent)
    assert len(list((tmp_path / "indexes").iterdir())) == 2, "another chunker makes another index"


# --- scoring -------------------------------------------------------------------------------


def test_gain_and_verdict_are_of_after_over_before() -> None:
    found = arm("a.yaml", [1] * 40)  # before at place 3
    assert found.means("before")["mrr"] == pytest.approx(1 / 3)
    assert found.means("after")["mrr"] == 1.0
    assert found.gain().wins == 40
    assert found.verdict().word == "adopt"
    assert arm("a.yaml", [9] * 40).verdict().word == "keep"
    assert arm("a.yaml", [3] * 40).verdict().word == "keep"


def test_a_failed_question_is_counted_and_left_out_not_scored_zero() -> None:
    found = evaluation([line("q1", after=with_relevant_at(1)), failed("q2")])
    assert found.means("after")["mrr"] == 1.0
    summary = summarise(found)
    assert (summary.failed, summary.ranked, summary.questions) == (1, 1, 2)
    assert "1 × TransientError: Cohere did not answer in time" in explain_flaws(found)


@pytest.mark.parametrize(("status", "degraded"), [("ok", 0), ("skipped", 0), ("late", 1), ("degraded", 1)])
def test_a_question_that_another_reranker_answered_is_told(status: RerankStatus, degraded: int) -> None:
    assert summarise(evaluation([line("q1", status=status)])).degraded == degraded


def test_without_judgements_there_is_no_ranking_but_there_are_answers() -> None:
    found = evaluation([line("q1", found=False)], questions=[question("q1", "", answerable=False)])
    summary = summarise(found)
    assert (summary.before, summary.after, summary.ranked) == ({}, {}, 0)
    assert summary.answers.false_answer_rate == 0.0
    with pytest.raises(InputError, match="says of no question which documents"):
        check_judged(found)


def test_the_figures_are_plain_json_without_nan() -> None:
    for found in (arm("a.yaml", [1, 2]), evaluation([failed("q1")])):
        json.loads(json.dumps(to_json(summarise(found)), allow_nan=False))


# --- answers -------------------------------------------------------------------------------


def test_exact_match_and_f1_are_squads() -> None:
    assert exact_match("The 8 seconds. [1]", ["8 seconds"]) == 1.0
    assert exact_match("8 minutes", ["8 seconds"]) == 0.0
    assert token_f1("hold it for 8 seconds", ["8 seconds", "ten"]) == pytest.approx(2 * 2 / (5 + 2))
    assert token_f1("", ["8 seconds"]) == 0.0
    assert token_f1("Is there a pump?", []) == 0.0


def test_answers_are_counted_where_something_is_known_of_them() -> None:
    able, unable, unknown = (
        question("1", answer="It is so"),
        question("2", "", answerable=False),
        question("3", ""),
    )
    statuses: tuple[CitationStatus, ...] = ("ok", "unknown-passage", "number-not-found", "ok")
    citations = tuple(Citation(1, "d0.md", None, None, 0, 1, status) for status in statuses)
    scores = [
        score_answer(able, line("1", citations=citations)),
        score_answer(replace_found(able), line("4", found=False)),
        score_answer(unable, line("2")),
        score_answer(unable, line("5", found=False)),
        score_answer(unknown, line("3")),
    ]
    found = summarise_answers(scores)
    assert (found.answerable, found.unanswerable, found.found) == (2, 2, 3)
    assert found.recall == 0.5
    assert found.precision == 0.5
    assert found.false_answer_rate == 0.5
    assert found.exact_match == 0.5, "an answerable question that was refused is no match"
    assert found.f1 == 0.5
    assert (found.citations, found.citations_resolved, found.citations_supported) == (4, 0.75, 0.5)


def replace_found(asked: Any) -> Any:
    return asked.model_copy(update={"id": "4"})


def test_what_nothing_is_known_of_is_none_and_not_zero() -> None:
    found = summarise_answers([score_answer(question("3", ""), line("3"))])
    unknown = ("precision", "recall", "false_answer_rate", "exact_match", "f1", "citations_resolved")
    assert [getattr(found, name) for name in unknown] == [None] * 6
