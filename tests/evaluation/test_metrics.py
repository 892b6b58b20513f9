"""The measures are trec_eval's: held to its definitions, ties and gaps included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, nDCG

from rag.evaluation.metrics import by_document, mean, run_lines, score_rankings

EXACT = 1e-6
Grades = Mapping[str, int]

# Three questions whose values are worked out by hand from trec_eval's definitions. Gain is the grade,
# the discount log2(rank + 1), the ideal ranking holds all judged documents; a grade below 1 is no gain.
JUDGED: dict[str, Grades] = {
    "graded": {"a": 3, "b": 2, "c": 1, "d": 0},
    "missed": {"x": 1, "y": 1, "far": 1},
    "late": {"only": 1, "bad": -1},
}
RANKINGS: dict[str, list[str]] = {
    "graded": ["b", "unjudged", "a", "d", "c"],
    "missed": ["p", "x", "q"],
    "late": ["bad", *(f"n{i}" for i in range(10)), "only"],
}
EXPECTED = {
    # (2 + 3/2 + 1/log2 6) / (3 + 2/log2 3 + 1/2); AP = (1 + 2/3 + 3/5) / 3
    "graded": {"ndcg@10": 0.8162468, "mrr": 1.0, "map": 0.7555556, "recall@10": 1.0, "success@1": 1.0},
    # (1/log2 3) / (1 + 1/log2 3 + 1/2); AP = (1/2) / 3
    "missed": {"ndcg@10": 0.2960819, "mrr": 0.5, "map": 0.1666667, "recall@10": 0.3333333, "success@1": 0.0},
    # Its one relevant document is at place 12: beyond ten, but found.
    "late": {"ndcg@10": 0.0, "mrr": 0.0833333, "map": 0.0833333, "recall@10": 0.0, "success@1": 0.0},
}


def test_the_values_are_those_worked_out_by_hand() -> None:
    scored = score_rankings(RANKINGS, JUDGED, 10, 50)
    for question, values in EXPECTED.items():
        assert {name: scored[question][name] for name in values} == pytest.approx(values, abs=EXACT), question
    assert scored["late"]["recall@50"] == 1.0
    assert scored["late"]["success@10"] == 0.0


def test_a_question_for_which_nothing_was_found_counts_zero_not_nothing() -> None:
    scored = score_rankings({"graded": [], "missed": ["x"]}, JUDGED, 10, 50)
    assert set(scored["graded"].values()) == {0.0}
    assert mean(scored)["mrr"] == pytest.approx(0.5)


def test_a_question_without_a_relevant_document_counts_zero() -> None:
    scored = score_rankings({"q": ["a", "b"]}, {"q": {"a": 0}}, 10, 50)
    assert set(scored["q"].values()) == {0.0}


def test_the_mean_of_no_question_is_empty() -> None:
    assert mean({}) == {}


def ndcg(ranking: Sequence[str], grades: Grades, k: int) -> float:
    gains = [max(grades.get(document, 0), 0) for document in ranking[:k]]
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    best = sum(gain / math.log2(i + 2) for i, gain in enumerate(ideal))
    return sum(gain / math.log2(i + 2) for i, gain in enumerate(gains)) / best if best else 0.0


def average_precision(ranking: Sequence[str], grades: Grades) -> float:
    relevant = {document for document, grade in grades.items() if grade > 0}
    hits = [i for i, document in enumerate(ranking) if document in relevant]
    found = [(turn + 1) / (place + 1) for turn, place in enumerate(hits)]
    return sum(found) / len(relevant) if relevant else 0.0


documents = st.integers(0, 14).map(lambda i: f"d{i}")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(documents, unique=True, max_size=15),
    st.dictionaries(documents, st.integers(-1, 3), min_size=1, max_size=10),
)
def test_any_ranking_is_scored_by_the_definitions(ranking: list[str], grades: dict[str, int]) -> None:
    scored = score_rankings({"q": ranking}, {"q": grades}, 5, 50)["q"]
    relevant = [document for document, grade in grades.items() if grade > 0]
    first = next((i for i, d in enumerate(ranking, start=1) if d in relevant), 0)
    assert scored["ndcg@5"] == pytest.approx(ndcg(ranking, grades, 5), abs=EXACT)
    assert scored["map"] == pytest.approx(average_precision(ranking, grades), abs=EXACT)
    assert scored["mrr"] == pytest.approx(1 / first if first else 0.0, abs=EXACT)
    in_5 = len(set(ranking[:5]) & set(relevant))
    assert scored["recall@5"] == pytest.approx(in_5 / len(relevant) if relevant else 0.0, abs=EXACT)
    assert scored["success@5"] == float(in_5 > 0)


def read_run(path: Path) -> list[ir_measures.ScoredDoc]:
    return list(ir_measures.read_trec_run(str(path)))  # type: ignore[no-untyped-call]  # it is not typed


def test_the_run_file_gives_trec_eval_the_order_that_was_shown(tmp_path: Path) -> None:
    """Even where scores tie or lie closer than 32 bits tell apart, which it would break by name."""
    path = tmp_path / "run.trec"
    path.write_text("".join(run_lines(RANKINGS, "rag test")))
    run = read_run(path)
    assert [hit.doc_id for hit in run if hit.query_id == "graded"] == RANKINGS["graded"]
    measures = {"ndcg@10": nDCG @ 10, "mrr": RR, "map": AP, "recall@10": R @ 10, "success@1": Success @ 1}
    read = {
        (found.query_id, found.measure): found.value
        for found in ir_measures.iter_calc(list(measures.values()), JUDGED, run)
    }
    for question, values in EXPECTED.items():
        for name, value in values.items():
            assert read[question, measures[name]] == pytest.approx(value, abs=EXACT)


def test_names_with_white_space_stay_one_column(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("".join(run_lines({"q 1": ["my notes/a b.md", "100%.md"]}, "t")))
    run = read_run(path)
    assert [(hit.query_id, hit.doc_id) for hit in run] == [
        ("q%201", "my%20notes/a%20b.md"),
        ("q%201", "100%25.md"),
    ]


def test_a_document_stands_where_its_best_passage_stands() -> None:
    assert by_document(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]
