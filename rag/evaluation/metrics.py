"""How good a ranking is, by trec_eval's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import ir_measures
from ir_measures import AP, RR, R, Success, nDCG

from rag.evaluation.dataset import Grades

Scores = dict[str, float]
Ranking = Sequence[str]


def measures(k: int, depth: int) -> dict[str, ir_measures.Measure]:
    """By the names under which they are reported; `depth` is how many candidates there are."""
    return {
        f"ndcg@{k}": nDCG @ k,
        "mrr": RR,
        "map": AP,
        f"recall@{k}": R @ k,
        f"recall@{depth}": R @ depth,
        "success@1": Success @ 1,
        f"success@{k}": Success @ k,
    }


def score_rankings(
    rankings: Mapping[str, Ranking], grades: Mapping[str, Grades], k: int, depth: int
) -> dict[str, Scores]:
    """Each question's scores. Rankings are of documents, each once, best first."""
    wanted = measures(k, depth)
    names = {measure: name for name, measure in wanted.items()}
    run = {id_: run_scores(ranking) for id_, ranking in rankings.items()}
    qrels = {id_: dict(grades[id_]) for id_ in rankings}
    scored: dict[str, Scores] = {id_: dict.fromkeys(wanted, 0.0) for id_ in rankings}
    for found in ir_measures.iter_calc(list(names), qrels, run):
        scored[found.query_id][names[found.measure]] = float(found.value)
    return scored


def run_scores(ranking: Ranking) -> dict[str, float]:
    """The place itself as a score: trec_eval reads floats of 32 bits and breaks ties by name, so that
    close logits would be ranked otherwise than they were shown."""
    return {document: float(len(ranking) - place) for place, document in enumerate(ranking)}


def run_lines(rankings: Mapping[str, Ranking], tag: str) -> Iterable[str]:
    """A run file as trec_eval reads it. Its columns end at white space, which no name may hold."""
    for id_, ranking in rankings.items():
        for rank, (document, score) in enumerate(run_scores(ranking).items(), start=1):
            yield f"{_word(id_)} Q0 {_word(document)} {rank} {score:g} {_word(tag)}\n"


def _word(text: str) -> str:
    return "".join(f"%{ord(c):02X}" if c.isspace() or c == "%" else c for c in text)


def by_document(documents: Iterable[str]) -> list[str]:
    """A document is as good as its best passage."""
    return list(dict.fromkeys(documents))


def mean(scored: Mapping[str, Scores]) -> Scores:
    """Over questions; empty where none is labelled."""
    rows = list(scored.values())
    return {name: sum(row[name] for row in rows) / len(rows) for name in (rows[0] if rows else ())}
