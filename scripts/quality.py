#!/usr/bin/env python
"""nDCG@10 with and without reranking, on collections in BEIR form and on the handbook.

    python scripts/quality.py --work DIR COLLECTION_FOLDER...

A folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv. Documents are cut and indexed as by
default; a document is as good as its best passage. Prints a Markdown table and writes quality.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import ir_measures
from beir import Collection, by_document, open_index
from ir_measures import nDCG

from rag import Rag
from rag.parts import Parts
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.rerankers.none import FirstStageOrder
from rag.retrievers.own_index import IndexRetriever, Mode
from rag.second_stage.fitted import find_calibration
from rag.second_stage.rank import rerank
from rag.types import Candidate, Passage, Question

ROOT = Path(__file__).parent.parent
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
Ranking = tuple[Sequence[Candidate | Passage], Sequence[float]]
System = Callable[[Question], Ranking]


def main() -> None:
    options = _options()
    collections = [Collection.load(folder) for folder in options.folders]
    if options.handbook:
        collections.append(_handbook())
    results = {}
    for collection in collections:
        results[collection.name] = evaluate(collection.sample(options.sample), options.work, options.float)
        print(collection.name, json.dumps(results[collection.name]), flush=True)
    print(table(results))
    options.out.write_text(json.dumps(results, indent=1) + "\n")


def evaluate(collection: Collection, work: Path, with_floats: bool) -> dict[str, float]:
    rag = open_index(collection, work)
    systems = _systems(rag, with_floats)
    runs: dict[str, dict[str, dict[str, float]]] = {name: {} for name in systems}
    for id_, text in collection.questions.items():
        question = rag.pipeline.encode(text)
        for name, system in systems.items():
            runs[name][id_] = by_document(collection, *system(question))
    return {name: round(_ndcg(collection, run), 4) for name, run in runs.items()}


def table(results: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(results.values())))
    rows = [["", *names]]
    rows += [[name, *(f"{scores[n]:.4f}" for n in names)] for name, scores in results.items()]
    rows.append(["mean", *(f"{statistics.mean(r[n] for r in results.values()):.4f}" for n in names)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _systems(rag: Rag, with_floats: bool) -> dict[str, System]:
    systems: dict[str, System] = {}
    for mode in MODES:
        first = IndexRetriever(rag.assembly.index, mode, top_n=50, rrf_k=60)
        systems[mode] = _first_stage(first)
    for mode in MODES:
        first = IndexRetriever(rag.assembly.index, mode, top_n=50, rrf_k=60)
        systems[f"{mode} + late"] = _late_alone(rag, first, "1bit")
        systems[f"{mode} + late + evidence"] = _with_evidence(rag, first, "1bit")
    hybrid = IndexRetriever(rag.assembly.index, "hybrid", top_n=50, rrf_k=60)
    systems["hybrid + evidence alone"] = _evidence_alone(rag, hybrid)
    if with_floats:
        systems["hybrid + late (float)"] = _late_alone(rag, hybrid, "float")
        systems["hybrid + late + evidence (float)"] = _with_evidence(rag, hybrid, "float")
    return systems


def _first_stage(first: IndexRetriever) -> System:
    def system(question: Question) -> Ranking:
        candidates = first.retrieve(question)
        return candidates, [candidate.fused for candidate in candidates]

    return system


def _late_alone(rag: Rag, first: IndexRetriever, precision: str) -> System:
    reranker = _late(rag, precision)

    def system(question: Question) -> Ranking:
        candidates = first.retrieve(question)
        return candidates, reranker.score(question, candidates).values if candidates else ()

    return system


def _with_evidence(rag: Rag, first: IndexRetriever, precision: str) -> System:
    reranker = _late(rag, precision)
    calibration = find_calibration(reranker.card, rag.assembly.embedder.card, None)

    def system(question: Question) -> Ranking:
        passages, _ = rerank(reranker, calibration, question, first.retrieve(question))
        return passages, [passage.logit for passage in passages]

    return system


def _evidence_alone(rag: Rag, first: IndexRetriever) -> System:
    reranker = FirstStageOrder()
    calibration = find_calibration(reranker.card, rag.assembly.embedder.card, None)

    def system(question: Question) -> Ranking:
        passages, _ = rerank(reranker, calibration, question, first.retrieve(question))
        return passages, [passage.logit for passage in passages]

    return system


def _late(rag: Rag, precision: str):  # type: ignore[no-untyped-def]  # the class is the part's own matter
    settings = LateInteractionSettings.model_validate({"precision": precision})
    return settings.build(Parts(rag.assembly.index.catalog, lambda: rag.assembly.token_encoder))


def _ndcg(collection: Collection, run: dict[str, dict[str, float]]) -> float:
    qrels = {id_: collection.qrels[id_] for id_ in collection.questions}
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


def _handbook() -> Collection:
    return Collection.load(ROOT / "data" / "questions", corpus=ROOT / "data" / "handbook")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, help="collections in BEIR form")
    parser.add_argument("--work", type=Path, default=Path("runs/quality"), help="where the indexes are kept")
    parser.add_argument("--out", type=Path, default=Path("quality.json"))
    parser.add_argument("--sample", type=int, help="so many questions a collection, drawn with a fixed seed")
    parser.add_argument(
        "--float", action="store_true", help="token vectors in float too: encodes candidates anew"
    )
    parser.add_argument("--no-handbook", dest="handbook", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    main()
