"""A config on a dataset: every question asked as a user would ask it, and what came of it scored.

Ranking, answers and times come from the same pass through the pipeline. Stopped at any moment it
goes on where it was, as a run does.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rag.api import Rag
from rag.contract import search_json, to_json
from rag.evaluation.dataset import Dataset
from rag.evaluation.metrics import run_lines
from rag.evaluation.naming import naming
from rag.evaluation.scoring import Evaluation, Options, Rank, rank_documents, score
from rag.evaluation.summary import DIGITS, question_line
from rag.protocols import Progress
from rag.runs.journal import Journal
from rag.runs.provenance import Provenance, find_provenance, material
from rag.runs.run import ask_all, ask_for_answer, ingest_sources, now, resume
from rag.settings import Settings, public

_LARGEST_CORPUS = 10**10
_RANKS: tuple[tuple[str, Rank], ...] = (("before", "fused_rank"), ("after", "rerank_rank"))


def evaluate(
    settings: Settings, config: str, dataset: Dataset, out: Path, options: Options, progress: Progress
) -> Evaluation:
    """Asks what has not been asked yet, and leaves answers.jsonl and run.json in `out`."""
    chosen = dataset.sample(options.sample, options.seed)
    rag = open_for(settings, dataset, options.indexes, progress)
    named = naming((source for source, _ in rag.assembly.index.catalog.sources()), chosen.judged)
    ask = ask_for_answer if options.answers else _ask_for_passages
    made_by = find_provenance(rag, chosen.questions, "answers" if options.answers else "search")
    journal = Journal(out)
    with journal.held():
        file = _run_file(config, chosen, options, made_by)
        _, kept = resume(journal, made_by, file, chosen.questions)
        lines = ask_all(rag, chosen.questions, kept, journal, progress, ask)
        evaluation = Evaluation(
            config=config,
            dataset=chosen,
            options=options,
            naming=named,
            scored=score(chosen, lines, named, options.k, settings.retriever.top_n),
            provenance=made_by,
            started=file["started"],
            depth=settings.retriever.top_n,
            folder=out,
        )
        _write(evaluation)
        journal.finish({**file, "state": "finished"}, lines)
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


def _ask_for_passages(rag: Rag, question: str) -> dict[str, Any]:
    """Without an answer: found is what reaches the prompt."""
    result = search_json(rag.search(question))
    return {**result, "found": bool(result["passages"])}


def _run_file(config: str, dataset: Dataset, options: Options, made_by: Provenance) -> dict[str, Any]:
    """What run.json says while the questions are asked."""
    return {
        "state": "running",
        "config": config,
        "dataset": dataset.name,
        "started": now(),
        "seed": options.seed,
        **to_json(made_by),
    }


def _index_key(settings: Settings, corpus: Path) -> str:
    made_by = material(public(settings), ("embedder", "chunker"), besides=["device"])
    kind = [str(corpus.resolve()), settings.store.kind, made_by]
    return hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()[:8]


def _write(evaluation: Evaluation) -> None:
    folder, named = evaluation.folder, evaluation.naming
    lines = [to_json(question_line(one), DIGITS) for one in evaluation.scored]
    written = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    (folder / "questions.jsonl").write_text("".join(written), "utf-8")
    for name, rank in _RANKS:
        rankings = {
            one.question.id: rank_documents(one.line, rank, named)
            for one in evaluation.scored
            if not one.failed
        }
        (folder / f"{name}.trec").write_text("".join(run_lines(rankings, f"rag-{name}")), "utf-8")
    judged = [
        f"{q.id} 0 {document} {grade}\n"
        for q in evaluation.dataset.labelled
        for document, grade in q.relevant.items()
    ]
    (folder / "qrels.trec").write_text("".join(judged), "utf-8")
