from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.builders import SmallIndex, names
from support.fakes import EchoGenerator, ListedScores, WordEmbedder

from rag import Answer, Rag, Settings
from rag.answers.prompt import NOT_FOUND
from rag.calibration import Calibration
from rag.contract import answer_json, search_json
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.selection import Rule
from rag.types import Trace

TEXTS = {
    "dome.md": "Close the dome when the wind is above 16 metres a second.",
    "wind.md": "The wind vane on the north mast is checked each May.",
    "soup.md": "Soup is served at seven.",
}
QUESTIONS = [
    "How do I reset the tracker?",
    "How many litres of LN2 do I need to get LYRA cold?",
    "fuse rating for the car GPS tracker",
    "At what wind speed must the dome be closed?",
    "What is the Wi-Fi password of the cafeteria on the moon?",
    "Who do I ring when the self-test shows T-FAIL twice?",
]
GIBBERISH = [
    "xqzzv blorptang frumious wibble",
    "asdf jkl qwer uiop",
    "zzzz",
    "brillig slithy toves gimble wabe",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    return SmallIndex(tmp_path_factory.mktemp("small"), TEXTS)


def without_times(trace: Trace) -> object:
    return (
        trace.candidates,
        trace.rerank,
        trace.generate,
        trace.notes,
        [(s.name, s.count) for s in trace.stages],
    )


# --- an answer -----------------------------------------------------------------------------


def test_the_generator_is_asked_about_exactly_the_passages_that_were_selected(small: SmallIndex) -> None:
    generator = EchoGenerator("Above 16 metres a second [1].")
    answer = small.pipeline(generator=generator, rule=Rule(top_k=2)).ask("When do I close the dome for wind?")
    assert generator.asked == [("When do I close the dome for wind?", 2)]
    assert answer.found
    assert names(answer.passages)[0] == "dome.md"
    assert [(c.marker, Path(c.source or "").name, c.status) for c in answer.citations] == [
        (1, "dome.md", "ok")
    ]


def test_a_citation_that_points_nowhere_is_flagged_and_not_hidden(small: SmallIndex) -> None:
    answer = small.pipeline(generator=EchoGenerator("Yes [9].")).ask("dome wind")
    assert [(c.marker, c.status) for c in answer.citations] == [(9, "unknown-passage")]


def test_where_nothing_is_selected_the_answer_says_so_and_no_generator_is_called(small: SmallIndex) -> None:
    generator = EchoGenerator()
    answer = small.pipeline(generator=generator, rule=Rule(threshold=1.0)).ask("dome")
    assert (answer.found, answer.text, answer.passages, answer.citations) == (False, NOT_FOUND, (), ())
    assert generator.asked == []
    assert answer.trace.generate is None


@pytest.mark.parametrize("text", [NOT_FOUND, f"  {NOT_FOUND}\n", NOT_FOUND.rstrip("."), f'"{NOT_FOUND}"'])
def test_a_model_that_says_the_passages_do_not_hold_the_answer_has_not_found_it(
    small: SmallIndex, text: str
) -> None:
    answer = small.pipeline(generator=EchoGenerator(text)).ask("dome")
    assert not answer.found
    assert answer.passages


def test_a_model_that_says_nothing_has_not_found_it_either(small: SmallIndex) -> None:
    answer = small.pipeline(generator=EchoGenerator(" \n")).ask("dome")
    assert (answer.found, answer.text) == (False, NOT_FOUND)


def test_a_model_that_says_more_than_that_has_answered(small: SmallIndex) -> None:
    assert small.pipeline(generator=EchoGenerator(f"{NOT_FOUND} But see [1].")).ask("dome").found


def test_an_index_without_documents_gives_an_honest_answer_and_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    answer = SmallIndex(tmp_path, {}).pipeline().ask("dome")
    assert not answer.found
    assert answer.trace.rerank is not None
    assert (answer.trace.rerank.status, answer.trace.rerank.reason) == ("skipped", "no candidates")
    assert any("rag status" in note for note in answer.trace.notes)


def test_without_candidates_the_reranker_is_not_called(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    reranker = ListedScores([])
    SmallIndex(tmp_path, {}).pipeline(reranker).ask("dome")
    assert reranker.calls == 0


# --- the trace -----------------------------------------------------------------------------


def test_the_trace_has_every_stage_with_its_time_and_its_count(handbook: Rag) -> None:
    trace = handbook.ask(QUESTIONS[0]).trace
    assert [stage.name for stage in trace.stages] == [
        "encode",
        "retrieve",
        "rerank",
        "select",
        "read",
        "generate",
    ]
    assert all(stage.ms >= 0 for stage in trace.stages)
    counts = {stage.name: stage.count for stage in trace.stages}
    assert counts["retrieve"] == counts["rerank"] == len(trace.candidates) == 50
    assert counts["select"] == sum(row.kept for row in trace.candidates) <= 5
    assert (trace.embedder, trace.retriever) == ("sentence-transformers/all-MiniLM-L6-v2", "hybrid")
    assert trace.rerank is not None
    assert (trace.rerank.kind, trace.rerank.status, trace.rerank.encoded) == ("late-interaction", "ok", 0)
    assert trace.generate is not None
    assert trace.generate.kind == "extractive"


def test_a_trace_without_an_answer_ends_with_the_selection(handbook: Rag) -> None:
    stages = [stage.name for stage in handbook.search(QUESTIONS[0]).trace.stages]
    assert stages == ["encode", "retrieve", "rerank", "select"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_candidate_is_in_the_ledger_either_kept_or_with_the_reason_why_not(
    handbook: Rag, question: str
) -> None:
    result = handbook.search(question)
    rows = result.trace.candidates
    assert sorted(row.id for row in rows) == sorted(c.chunk.id for c in handbook.retrieve(question))
    assert all(row.kept == (row.reason == "") for row in rows)
    assert {row.id for row in rows if row.kept} == {p.chunk.id for p in result.passages}
    assert [row.rerank_rank for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.moved == row.fused_rank - row.rerank_rank for row in rows)


def test_the_contract_is_json_whatever_the_scores_are_made_of(handbook: Rag) -> None:
    answer, result = handbook.ask(QUESTIONS[1]), handbook.search(QUESTIONS[1])
    for contract in (answer_json(answer), search_json(result)):
        assert json.loads(json.dumps(contract, allow_nan=False))["question"] == QUESTIONS[1]


def test_a_relevance_that_nobody_calibrated_says_so_in_the_trace(small: SmallIndex) -> None:
    unfitted = Calibration("somebody's reranker", {"score": 1.0})
    trace = small.pipeline(calibration=unfitted).ask("dome").trace
    assert any("not calibrated for somebody's reranker" in note for note in trace.notes)
    assert small.pipeline().ask("dome").trace.notes == ()


def test_passages_that_had_to_be_encoded_on_the_spot_are_noted(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, TEXTS, WordEmbedder(tokens=False))
    trace = index.pipeline(index.late_interaction(WordEmbedder())).ask("dome").trace
    assert trace.rerank is not None
    assert trace.rerank.encoded == 3
    assert any(note.startswith("3 passages were encoded on the spot") for note in trace.notes)


# --- an answer to gibberish ----------------------------------------------------------------


@pytest.mark.parametrize("question", GIBBERISH)
def test_gibberish_gets_no_answer_from_the_handbook(handbook: Rag, question: str) -> None:
    answer = handbook.ask(question)
    assert (answer.found, answer.passages) == (False, ())


def test_questions_that_the_handbook_answers_get_one_from_the_right_page(handbook: Rag) -> None:
    for question, page in [
        (QUESTIONS[0], "resetting-the-tracker.md"),
        (QUESTIONS[1], "cooldown-lyra.md"),
    ]:
        answer = handbook.ask(question)
        assert answer.found
        assert names(answer.passages)[0] == page
        assert answer.citations


def test_where_the_handbook_says_it_in_other_words_the_answer_is_shown_if_with_reserve(handbook: Rag) -> None:
    answer = handbook.ask(QUESTIONS[2])
    assert answer.state != "not_found"
    assert names(answer.passages)[0] == "vehicle-location-units.md"
    assert "position F12, 3 A" in answer.text


# --- in other ways -------------------------------------------------------------------------


def test_a_stream_yields_the_pieces_and_then_the_answer_that_ask_gives(small: SmallIndex) -> None:
    pipeline = small.pipeline(generator=EchoGenerator("It is so [1]."))
    *pieces, last = pipeline.stream("dome wind")
    asked = pipeline.ask("dome wind")
    assert pieces == ["It", "is", "so", "[1]."]
    assert isinstance(last, Answer)
    assert (last.text, last.citations, last.passages) == (asked.text, asked.citations, asked.passages)
    assert without_times(last.trace) == without_times(asked.trace)


def test_a_stream_without_an_answer_yields_the_sentence_that_says_so(small: SmallIndex) -> None:
    piece, answer = small.pipeline(rule=Rule(threshold=1.0)).stream("dome")
    assert piece == NOT_FOUND
    assert isinstance(answer, Answer)
    assert not answer.found


def test_a_stream_that_is_left_early_leaves_the_pipeline_whole(small: SmallIndex) -> None:
    pipeline = small.pipeline()
    assert next(iter(pipeline.stream("dome"))) == "It"
    assert pipeline.ask("dome").found


def test_sixteen_threads_get_the_answers_that_one_gets(handbook_settings: Settings) -> None:
    brief = Rag(handbook_settings.model_copy(update={"reranker": LateInteractionSettings(top_k=1)}))
    alone = [brief.ask(question) for question in QUESTIONS]
    with ThreadPoolExecutor(16) as threads:
        together = list(threads.map(brief.ask, QUESTIONS * 3))
    for one, other in zip(alone * 3, together, strict=True):
        assert (one.text, one.citations) == (other.text, other.citations)
        assert [p.chunk for p in one.passages] == [p.chunk for p in other.passages]
        # Questions that share a batch are rounded otherwise, in bf16 in the third digit.
        relevance = [row.relevance for row in sorted(one.trace.candidates, key=lambda row: row.id)]
        assert [
            row.relevance for row in sorted(other.trace.candidates, key=lambda row: row.id)
        ] == pytest.approx(relevance, abs=0.02)


# --- stages on their own -------------------------------------------------------------------


def test_the_stages_one_by_one_give_what_a_search_gives(small: SmallIndex) -> None:
    pipeline = small.pipeline(rule=Rule(top_k=2))
    question = pipeline.encode("dome wind")
    passages, _ = pipeline.rerank(question, pipeline.retrieve(question))
    assert pipeline.select(passages).kept == pipeline.search("dome wind").passages


def test_the_threshold_is_not_applied_before_the_last_stage(small: SmallIndex) -> None:
    """What the first stage ranks last may be what the reranker ranks first."""
    question = "soup dome wind"
    order = names(small.pipeline().retrieve(small.pipeline().encode(question)))
    scores = [-9.0] * (len(order) - 1) + [9.0]
    found = small.pipeline(ListedScores(scores), Rule(threshold=0.5)).search(question)
    assert names(found.passages) == [order[-1]]
