#!/usr/bin/env python
"""Timings of this machine, side by side in one run: ingest, second ingest, search, help.

    python scripts/speed.py CORPUS [--work DIR]

The peer is the fifty-line script that most people start from: 200-word pieces, sentence-transformers
with its defaults, one Chroma `add`. Each measurement is a process of its own. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

_PLAIN = """
import pathlib, re, sys, chromadb
from rag.model_folder import BUNDLED_NAME, find_model
from sentence_transformers import SentenceTransformer
corpus, store = sys.argv[1:]
model = SentenceTransformer(str(find_model(BUNDLED_NAME, None)))
docs = []
for path in sorted(pathlib.Path(corpus).rglob("*")):
    if path.is_file():
        text = path.read_text("utf-8", errors="replace")
        words = (re.sub(r"<[^>]+>", " ", text) if path.suffix == ".html" else text).split()
        docs += [" ".join(words[i:i + 200]) for i in range(0, len(words), 175)]
col = chromadb.PersistentClient(store).get_or_create_collection("docs", metadata={"hnsw:space": "cosine"})
vectors = model.encode(docs).tolist()
for i in range(0, len(docs), 5000):
    part = slice(i, i + 5000)
    col.add(ids=[str(n) for n in range(len(docs))][part], documents=docs[part], embeddings=vectors[part])
print(len(docs))
"""

_SEARCH = """
import json, sys, time
from rag import Rag
rag = Rag.open()
questions = open(sys.argv[1]).read().split("\\n")[:60]
questions = [q for q in questions if q.strip()]
rag.search(questions[0])
taken = []
for question in questions:
    start = time.perf_counter()
    result = rag.search(question)
    taken.append((time.perf_counter() - start) * 1000)
stages = {s.name: round(s.ms, 1) for s in result.trace.stages}
taken.sort()
print(json.dumps({"p50": taken[len(taken) // 2], "p95": taken[int(len(taken) * 0.95)], "last": stages}))
"""


def main() -> None:
    options = _options()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    corpus, index = str(options.corpus), options.work / "index"
    env = {**os.environ, "RAG_STORE__PATH": str(index)}

    plain, _ = _timed([sys.executable, "-c", _PLAIN, corpus, str(options.work / "plain")], env)
    _show("the plain script, ingest", f"{plain:.1f} s")
    without = {**env, "RAG_STORE__PATH": str(options.work / "nobits"), "RAG_EMBEDDER__TOKEN_BITS": "false"}
    no_bits, _ = _timed(_rag("ingest", corpus, "--json"), without)
    _show("rag ingest, without token bits", f"{no_bits:.1f} s")
    ours, out = _timed(_rag("ingest", corpus, "--json"), env)
    _show("rag ingest", f"{ours:.1f} s: {plain / ours:.2f} times the plain script's speed")
    _show("token bits add", f"{(ours / no_bits - 1) * 100:.0f}%")
    again, _ = _timed(_rag("ingest", corpus, "--json"), env)
    _show(f"rag ingest again, {json.loads(out)['new']} files unchanged", f"{again:.2f} s")
    helps = [_timed(_rag("--help"), env)[0] for _ in range(5)]
    _show("rag --help, median of 5", f"{statistics.median(helps):.2f} s")
    searches = json.loads(_timed([sys.executable, "-c", _SEARCH, str(options.questions)], env)[1])
    _show("warm search, p50 / p95", f"{searches['p50']:.1f} / {searches['p95']:.1f} ms")
    _show("its stages, last question", str(searches["last"]))
    size = _bytes_a_chunk(index, json.loads(out)["chunks"])
    _show("catalog on disk", f"{size:.1f} KB a chunk")


def _show(name: str, value: str) -> None:
    print(f"| {name} | {value} |", flush=True)


def _bytes_a_chunk(index: Path, chunks: int) -> float:
    return (index / "catalog.sqlite").stat().st_size / chunks / 1000


def _rag(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from rag.cli.app import main; main()", *arguments]


def _timed(command: list[str], env: dict[str, str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="a folder of documents")
    parser.add_argument("questions", type=Path, help="a question a line")
    parser.add_argument("--work", type=Path, default=Path("runs/speed"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
