"""A config on a dataset: every question asked as a user would ask it, and what came of it scored.

Ranking, answers and times come from the same pass through the pipeline. Stopped at any moment it
goes on where it was, as a run does.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rag.api import Rag
from rag.contract import search_json
from rag.errors import InputError
from rag.evaluation.answers import AnswerScore, score_answer, summarise
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.metrics import Scores, by_document, mean, run_lines, score_rankings
from rag.evaluation.naming import Naming, naming
from rag.evaluation.reliability import calibration_error, one_passage_a_document
from rag.evaluation.separation import Asked, area, false_answers_at
from rag.evaluation.statistics import Difference, Interval, difference, interval
from rag.evaluation.verdict import Verdict, judge
from rag.ingest import Progress
from rag.journal import AnswerLine, Journal
from rag.record import material, provenance, spent, stage_times
from rag.run import answered, ask_all, ingest_sources, resume
from rag.settings import Settings, public

_WHOLE = ("ok", "skipped")
_LARGEST_CORPUS = 10**10


@dataclass(frozen=True, slots=True)
class Options:
    """`effect`: the least gain that would be worth a change. `indexes`: where documents that a dataset
    brings along are indexed, apart from the user's own."""

    sample: int | None = None
    seed: int = 0
    k: int = 10
    effect: float = 0.02
    answers: bool = True
    indexes: Path = Path("runs/indexes")


@dataclass(frozen=True, slots=True)
class Scored:
    """One question. `before` and `after` reranking are empty where nobody has said which documents answer
    it. `failed` and `degraded` say what went wrong, if anything."""

    question: LabelledQuestion
    line: AnswerLine
    before: Scores
    after: Scores
    answer: AnswerScore | None
    failed: str = ""
    degraded: str = ""

    @property
    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """The candidates as rows, best first."""
        rows = () if self.failed else self.line["trace"]["ledger"]
        return sorted(rows, key=lambda row: row["rerank_rank"])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`record` is what stands in run.json: what made the answers."""

    config: str
    dataset: Dataset
    options: Options
    naming: Naming
    scored: tuple[Scored, ...]
    record: Mapping[str, Any]
    folder: Path

    @property
    def metric(self) -> str:
        """The one that decides; the others are looked at."""
        return f"ndcg@{self.options.k}"

    @property
    def ranked(self) -> tuple[Scored, ...]:
        """The questions whose ranking can be judged."""
        return tuple(one for one in self.scored if one.after)

    @property
    def failed(self) -> int:
        return sum(bool(one.failed) for one in self.scored)

    @property
    def degraded(self) -> int:
        return sum(bool(one.degraded) for one in self.scored)

    def means(self, which: str) -> Scores:
        """Which: before or after."""
        return mean({one.question.id: getattr(one, which) for one in self.ranked})

    def interval(self, which: str) -> Interval:
        return interval([getattr(one, which)[self.metric] for one in self.ranked], self.options.seed)

    def gain(self, metric: str | None = None) -> Difference:
        """Of reranking over the first stage's order."""
        name = metric or self.metric
        rows = self.ranked
        return difference(
            [one.before[name] for one in rows], [one.after[name] for one in rows], self.options.seed
        )

    def verdict(self) -> Verdict:
        found = self.gain()
        return judge(found, found.p, self.metric, self.options.effect)

    def judged(self) -> list[Asked]:
        """Each question's passages whose relevance somebody has judged, with what was predicted."""
        return [
            _judged(one, self.naming)
            for one in self.scored
            if not one.failed and one.question.can_be_answered is not None
        ]

    def latency(self) -> dict[str, dict[str, float]]:
        return stage_times(one.line for one in self.scored)


def evaluate(
    settings: Settings, config: str, dataset: Dataset, out: Path, options: Options, progress: Progress
) -> Evaluation:
    """Asks what has not been asked yet, and leaves answers.jsonl and run.json in `out`."""
    chosen = dataset.sample(options.sample, options.seed)
    rag = open_for(settings, dataset, options.indexes, progress)
    named = naming((source for source, _ in rag.parts.index.catalog.sources()), chosen.judged)
    ask = answered if options.answers else _searched
    journal = Journal(out)
    with journal.held():
        record = _record(rag, config, chosen, options)
        _, kept = resume(journal, record, chosen.questions)
        lines = ask_all(rag, chosen.questions, kept, journal, progress, ask)
        evaluation = Evaluation(
            config=config,
            dataset=chosen,
            options=options,
            naming=named,
            scored=score(chosen, lines, named, options.k, settings.retriever.top_n),
            record={**record, "state": "finished"},
            folder=out,
        )
        _write(evaluation)
        journal.finish(dict(evaluation.record), lines)
    return evaluation


def open_for(settings: Settings, dataset: Dataset, indexes: Path, progress: Progress) -> Rag:
    """The config's own index, brought up to date; or one of the documents that the dataset brings along."""
    if dataset.corpus is None:
        rag = Rag(settings)
        ingest_sources(rag, progress)
        return rag
    folder = indexes / f"{dataset.name}-{_index_key(settings, dataset.corpus)}"
    store = settings.store.model_copy(update={"path": folder})
    loader = settings.loader.model_copy(update={"max_bytes": _LARGEST_CORPUS})
    rag = Rag(settings.model_copy(update={"store": store, "loader": loader}))
    rag.ingest(dataset.corpus, progress=progress)
    return rag


def summary_json(evaluation: Evaluation) -> dict[str, Any]:
    verdict, gain = evaluation.verdict(), evaluation.gain()
    scored = [one.answer for one in evaluation.scored if one.answer]
    before, after = evaluation.interval("before"), evaluation.interval("after")
    return {
        "dataset": evaluation.dataset.name,
        "config": evaluation.config,
        "questions": len(evaluation.scored),
        "ranked": len(evaluation.ranked),
        "failed": evaluation.failed,
        "degraded": evaluation.degraded,
        "synthetic": evaluation.dataset.synthetic,
        "before": _rounded(evaluation.means("before")),
        "after": _rounded(evaluation.means("after")),
        "intervals": {
            name: [round(found.low, 6), round(found.high, 6)]
            for name, found in (("before", before), ("after", after))
            if evaluation.ranked
        },
        "gain": _gain_json(gain),
        "verdict": {"word": verdict.word, "text": verdict.text, "needed": verdict.needed},
        "answers": _rounded(summarise(scored)),
        "relevance": _relevance_json(evaluation.judged()),
        "latency_ms": evaluation.latency(),
        "cost": cost(evaluation.scored),
        "missing_documents": list(evaluation.naming.missing),
        "folder": str(evaluation.folder),
    }


def question_json(one: Scored) -> dict[str, Any]:
    """A line of questions.jsonl."""
    return {
        "_id": one.question.id,
        "text": one.question.text,
        "kind": one.question.kind,
        "answerable": one.question.can_be_answered,
        "before": _rounded(one.before),
        "after": _rounded(one.after),
        "found": one.answer.found if one.answer else None,
        "exact_match": one.answer.exact if one.answer else None,
        "f1": _round(one.answer.f1) if one.answer else None,
        "ms": round(sum(stage["ms"] for stage in one.line["trace"]["stages"]), 3) if not one.failed else None,
        "failed": one.failed,
        "degraded": one.degraded,
    }


def cost(scored: Iterable[Scored]) -> dict[str, float | int | None]:
    """What hosted services bill: search units and tokens of rerankers, tokens of language models. In money
    where the trace knows a price, else None."""
    lines = [one.line for one in scored if not one.failed]
    billed = spent(lines)
    rerank, generate = billed["rerank"], billed["generate"]
    return {
        "rerank_units": _round(rerank["units"]),
        "rerank_units_per_question": _round(rerank["units"] / len(lines)) if lines else 0.0,
        "rerank_cost": _round(rerank["cost"]),
        "prompt_tokens": generate["prompt_tokens"],
        "completion_tokens": generate["completion_tokens"],
    }


def _searched(rag: Rag, question: str) -> dict[str, Any]:
    """Without an answer: found is what reaches the prompt."""
    result = search_json(rag.search(question))
    return {**result, "found": bool(result["passages"])}


def _record(rag: Rag, config: str, dataset: Dataset, options: Options) -> dict[str, Any]:
    made_by = provenance(rag, dataset.questions)
    mode = "answers" if options.answers else "search"
    return {
        "state": "running",
        "config": config,
        "dataset": dataset.name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        **made_by,
        "identity": f"{made_by['identity']}-{mode}",
    }


def _index_key(settings: Settings, corpus: Path) -> str:
    made_by = material(public(settings), ("embedder", "chunker"), besides=["device"])
    kind = [str(corpus.resolve()), settings.store.kind, made_by]
    return hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()[:8]


def score(
    dataset: Dataset, lines: Sequence[AnswerLine], named: Naming, k: int, depth: int
) -> tuple[Scored, ...]:
    good = [(q, line) for q, line in zip(dataset.questions, lines, strict=True) if "error" not in line]
    grades = {q.id: q.relevant for q, _ in good if q.labelled}
    by = {
        rank: score_rankings(
            {q.id: ranking(line, rank, named) for q, line in good if q.labelled}, grades, k, depth
        )
        for rank in ("fused_rank", "rerank_rank")
    }
    return tuple(
        _failure(question, line)
        if "error" in line
        else Scored(
            question,
            line,
            by["fused_rank"].get(question.id, {}),
            by["rerank_rank"].get(question.id, {}),
            score_answer(question, line),
            degraded=_degraded(line),
        )
        for question, line in zip(dataset.questions, lines, strict=True)
    )


def ranking(line: AnswerLine, rank: str, named: Naming) -> list[str]:
    """The documents in the order of this rank, each by its best passage."""
    rows = sorted(line["trace"]["ledger"], key=lambda row: row[rank])
    return by_document(named.document(row["source"]) for row in rows)


def _failure(question: LabelledQuestion, line: AnswerLine) -> Scored:
    error = line["error"]
    return Scored(question, line, {}, {}, None, failed=f"{error['type']}: {error['message']}")


def _degraded(line: AnswerLine) -> str:
    """A question that another than the configured reranker answered says nothing of the configured one."""
    rerank = line["trace"].get("rerank") or {}
    status = rerank.get("status", "ok")
    return "" if status in _WHOLE else f"{status}: {rerank.get('reason') or 'no reason given'}"


def _write(evaluation: Evaluation) -> None:
    folder, named = evaluation.folder, evaluation.naming
    lines = [json.dumps(question_json(one), ensure_ascii=False) + "\n" for one in evaluation.scored]
    (folder / "questions.jsonl").write_text("".join(lines), "utf-8")
    for name, rank in (("before", "fused_rank"), ("after", "rerank_rank")):
        rankings = {
            one.question.id: ranking(one.line, rank, named) for one in evaluation.scored if not one.failed
        }
        (folder / f"{name}.trec").write_text("".join(run_lines(rankings, f"rag-{name}")), "utf-8")
    judged = [
        f"{q.id} 0 {document} {grade}\n"
        for q in evaluation.dataset.labelled
        for document, grade in q.relevant.items()
    ]
    (folder / "qrels.trec").write_text("".join(judged), "utf-8")


def explain_flaws(evaluation: Evaluation) -> str:
    """What went wrong, most frequent first; empty where nothing did."""
    flaws = Counter(one.failed or one.degraded for one in evaluation.scored if one.failed or one.degraded)
    told = [f"{count} × {flaw}" for flaw, count in flaws.most_common(3)]
    more = f"; and {len(flaws) - 3} other reasons" if len(flaws) > 3 else ""
    return "; ".join(told) + more


def check_judged(evaluation: Evaluation) -> None:
    """Without a judged question there is no ranking to compare."""
    if not evaluation.ranked:
        raise InputError(
            f"the dataset {evaluation.dataset.name} says of no question which documents answer it: "
            "give qrels/<split>.tsv, or `relevant` in its lines"
        )


def _gain_json(gain: Difference) -> dict[str, float | int]:
    return {
        "mean": round(gain.mean, 6),
        "low": round(gain.low, 6),
        "high": round(gain.high, 6),
        "p": round(gain.p, 6),
        "wins": gain.wins,
        "ties": gain.ties,
        "losses": gain.losses,
    }


def _judged(one: Scored, named: Naming) -> Asked:
    rows, grades = one.ledger, one.question.relevant
    documents = [named.document(row["source"]) for row in rows]
    relevances = [float(row["relevance"]) for row in rows]
    known = one_passage_a_document(documents, grades, relevances)
    return Asked(
        bool(one.question.can_be_answered),
        np.array([relevances[i] for i in known], dtype=np.float64),
        np.array([grades.get(documents[i], 0) > 0 for i in known], dtype=np.bool_),
    )


def _relevance_json(asked: Sequence[Asked]) -> dict[str, float | int | None]:
    """How far relevance can be trusted, and whether any threshold tells who has an answer."""
    predicted = np.concatenate([one.relevance for one in asked]) if asked else np.empty(0)
    relevant = np.concatenate([one.relevant for one in asked]) if asked else np.empty(0, dtype=np.bool_)
    separation = area(asked)
    return {
        "passages": len(predicted),
        "calibration_error": _round(calibration_error(predicted, relevant)),
        "separation": _round(separation),
        "false_answers_at_90": _round(false_answers_at(asked, 0.9)) if separation is not None else None,
    }


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _round(value) for name, value in values.items()}


def _round(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
