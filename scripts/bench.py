#!/usr/bin/env python
"""rag and its peers side by side on this machine: speed, memory, and what speed costs in quality.

    scripts/bench CORPUS QUESTIONS.txt [--peers plain,langchain,txtai] [--count 100000] [--out DIR]

Each measurement is a process of its own; rounds of rivals alternate, and medians are shown. Every peer
gets an environment of its own. The cross-encoder has MiniLM's body and a head of random numbers: it
costs what a trained one of its size costs, and any model can take its place (--cross-encoder FOLDER).
Prints a table, writes bench.json and bench.png.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import spearmanr  # type: ignore[import-untyped]  # it has no stubs

from rag.models.folder import BUNDLED_NAME, find_model

HERE = Path(__file__).parent
PRECISIONS = ("fp32", "auto", "int8")
RAG = [sys.executable, "-c", "from rag.cli.app import program; program()"]


@dataclass(frozen=True)
class Row:
    what: str
    ours: str
    over: str
    times: float | None = None

    def line(self) -> str:
        times = "" if self.times is None else f"{self.times:.1f}×"
        return f"| {self.what} | {self.ours} | {self.over} | {times} |"


class Bench:
    def __init__(
        self,
        corpus: Path,
        questions: Path,
        peers: str,
        count: int,
        rounds: int,
        cross_encoder: Path | None,
        out: Path,
    ) -> None:
        self.corpus, self.questions = str(corpus.resolve()), str(questions.resolve())
        self.out = out.resolve()
        self.rounds, self.count = rounds, count
        self.embedder = str(find_model(BUNDLED_NAME, None))
        self.cross_encoder = str(cross_encoder or self._untrained())
        self.peers = {name: self._environment(name) for name in peers.split(",") if name}
        self.measured: dict[str, Any] = {}

    # --- what is measured ----------------------------------------------------------------------

    def embedding(self) -> Iterator[Row]:
        found = self._against_plain("embed", self.corpus, "3000")
        rates = {k: _median(r["passages_a_second"] for r in v) for k, v in found.items()}
        plain = f"sentence-transformers, vectors alone: {rates['plain']:.0f} a second"
        exact = self._load("embed", "plain")
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        for name in PRECISIONS:
            vectors = self._load("embed", name)
            cosine = (vectors * exact).sum(axis=1)
            kept = _same_top_ten(vectors, exact)
            yield Row(
                f"{len(vectors):,} passages, vectors and token bits, precision {name}",
                f"{rates[name]:.0f} a second; cosine to fp32 {cosine.min():.4f} at least, "
                f"{cosine.mean():.4f} on average; {kept:.1%} of the ten nearest kept",
                plain,
                rates[name] / rates["plain"],
            )

    def reranking(self) -> Iterator[Row]:
        found = self._against_plain("rerank", self.corpus, self.questions, self.cross_encoder)
        taken = {k: _median(statistics.median(r["ms"]) for r in v) for k, v in found.items()}
        exact = self._load("rerank", "plain")
        for name in PRECISIONS:
            correlation = _rank_correlation(self._load("rerank", name), exact)
            yield Row(
                f"50 candidates by a cross-encoder, precision {name}",
                f"{taken[name]:.0f} ms; rank correlation {correlation:.4f}",
                f"CrossEncoder.predict: {taken['plain']:.0f} ms",
                taken["plain"] / taken[name],
            )

    def large_index(self) -> Iterator[Row]:
        work = str(self.out / "large")
        built = self._part("build", self.corpus, str(self.count), work)
        self.measured["build"] = built
        early, late = built["rates"]
        size = f"{self.count:,}"
        yield Row(
            f"ingest without the model, to {size} passages", f"{late:.0f} a second", f"{early:.0f} at half"
        )
        beyond = built["catalog_kb"] - built["text_kb"]
        yield Row("catalog on disk beyond the passages' text", f"{beyond:.1f} KB a passage", "")
        maxsim = self._rounds({"maxsim": lambda: self._part("late_interaction", work, self.questions)})
        for candidates in ("50", "500"):
            taken = _median(r["ms"][candidates] for r in maxsim["maxsim"])
            yield Row(f"default reranking of {candidates} candidates from stored bits", f"{taken:.1f} ms", "")
        searches = self._rounds({"search": lambda: self._part("search", work, self.questions)})["search"]
        p50, p95 = (_median(_percentile(r["ms"], p) for r in searches) for p in (50, 95))
        self.measured["warm_ms"] = p95
        stages = ", ".join(f"{n} {ms:.1f}" for n, ms in searches[-1]["stages"].items())
        yield Row(f"warm search in {size} passages, median / p95", f"{p50:.1f} / {p95:.1f} ms ({stages})", "")
        threads = _median(_percentile(r["threads_ms"], 95) for r in searches)
        one, sixteen = (_median(r["per_second"][k] for r in searches) for k in ("one", "sixteen"))
        memory = _median(r["rss_mb"]["sixteen"] / r["rss_mb"]["one"] - 1 for r in searches)
        yield Row(
            "the same from 16 threads",
            f"{sixteen:.0f} a second, p95 {threads:.0f} ms, memory {memory:+.1%}",
            f"{one:.0f} a second from one",
            sixteen / one,
        )

    def whole(self) -> Iterator[Row]:
        """From the documents to the answer: ingest, cold and warm questions, against the peers."""
        question = Path(self.questions).read_text("utf-8").splitlines()[0]
        ours = self._rounds({"ingest": self._ingest}, rounds=min(self.rounds, 3))["ingest"]
        seconds = _median(r["seconds"] for r in ours)
        cold = self._rounds({"cold": lambda: self._cold([*RAG, "ask", question])})["cold"]
        cold_s, rss = (_median(r[k] for r in cold) for k in ("seconds", "rss_mb"))
        yield Row("ingest from nothing", f"{seconds:.1f} s", "")
        yield Row("cold question, process to printed answer", f"{cold_s:.2f} s, {rss:.0f} MB", "")
        for name in self.peers:
            store = self._file(f"{name}-store")
            found = self._peer(name, "ingest", self.corpus, store)
            yield Row(
                "ingest from nothing",
                f"{seconds:.1f} s",
                f"{name}: {found['seconds']:.1f} s",
                found["seconds"] / seconds,
            )
            asked = self._peer(name, "warm", store, self.questions, "6")
            if failed := asked["failed"]:
                yield Row("warm question", "", f"{name}: fails on {failed} of 6")
            if not asked["ms"]:
                continue
            warm = statistics.median(asked["ms"])
            yield Row(
                f"warm question (ours: p95 in {self.count:,} passages)",
                f"{self.measured['warm_ms']:.1f} ms",
                f"{name}: {warm:.0f} ms",
                warm / self.measured["warm_ms"],
            )
            if failed:
                continue
            alone = [self._cold(self._peer_command(name, "cold", store, question)) for _ in range(3)]
            took, used = (_median(r[k] for r in alone) for k in ("seconds", "rss_mb"))
            yield Row(
                "cold question",
                f"{cold_s:.2f} s, {rss:.0f} MB",
                f"{name}: {took:.1f} s, {used:.0f} MB",
                took / cold_s,
            )

    def start(self) -> Iterator[Row]:
        program = "import time; t = time.perf_counter(); import rag; print(time.perf_counter() - t)"
        imports = [float(_output([sys.executable, "-c", program])) for _ in range(self.rounds)]
        helps = [self._cold([*RAG, "--help"])["seconds"] for _ in range(self.rounds)]
        yield Row("`import rag`", f"{_median(imports) * 1000:.0f} ms", "")
        yield Row("`rag --help`", f"{_median(helps):.2f} s", "")

    # --- how ------------------------------------------------------------------------------------

    def _rounds(
        self, rivals: dict[str, Callable[[], dict[str, Any]]], rounds: int | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """In turn, so that whatever else the machine does meets all of them."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in rivals}
        for _ in range(rounds or self.rounds):
            for name, measure in rivals.items():
                found[name].append(measure())
        self.measured |= found
        return found

    def _against_plain(self, what: str, *given: str) -> dict[str, list[dict[str, Any]]]:
        """sentence-transformers as it comes, and ours in each precision."""
        plain = partial(self._part, f"{what}_plain", *given, self._file(f"{what}-plain.npy"))
        ours = {
            name: partial(self._part, f"{what}_ours", *given, self._file(f"{what}-{name}.npy"), name)
            for name in PRECISIONS
        }
        return self._rounds({"plain": plain, **ours})

    def _load(self, what: str, name: str) -> Any:
        return np.load(self._file(f"{what}-{name}.npy"))

    def _part(self, *arguments: str) -> dict[str, Any]:
        return _result([sys.executable, str(HERE / "bench_parts.py"), *arguments])

    def _ingest(self) -> dict[str, Any]:
        shutil.rmtree(self.out / "index", ignore_errors=True)
        return self._cold([*RAG, "ingest", self.corpus, "--json"])

    def _cold(self, command: Sequence[str]) -> dict[str, Any]:
        """Seconds and peak memory of a process from its start to its end."""
        environment = {**os.environ, "RAG_STORE__PATH": str(self.out / "index"), **self._peer_variables()}
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.out
        )
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if os.waitstatus_to_exitcode(status) not in (0, 3):  # 3: an honest "not in the documents"
            raise SystemExit(f"{command} failed: {said.decode()[-2000:]}")
        return {"seconds": seconds, "rss_mb": usage.ru_maxrss / 1024}

    def _peer(self, name: str, *arguments: str) -> dict[str, Any]:
        if arguments[0] == "ingest":
            shutil.rmtree(arguments[2], ignore_errors=True)
        found = _result(self._peer_command(name, *arguments), self._peer_variables())
        self.measured[f"{name} {arguments[0]}"] = found
        return found

    def _peer_command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.peers[name]), str(HERE / "peers" / f"{name}_peer.py"), *arguments]

    def _peer_variables(self) -> dict[str, str]:
        return {"EMBEDDER": self.embedder, "RERANKER": self.cross_encoder, "HF_HUB_OFFLINE": "1"}

    def _environment(self, name: str) -> Path:
        folder = self.out / "environments" / name
        python = folder / "bin" / "python"
        if not python.exists():
            print(f"Installing {name} into {folder}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            wanted = HERE / "peers" / f"requirements-{name}.txt"
            subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(wanted)], check=True)
        return python

    def _untrained(self) -> Path:
        """MiniLM's body under a head of random numbers."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = Path(self.out) / "cross-encoder"
        if not (folder / "model.safetensors").exists():
            body = AutoModelForSequenceClassification.from_pretrained(self.embedder, num_labels=1)
            body.save_pretrained(folder)
            AutoTokenizer.from_pretrained(self.embedder).save_pretrained(folder)
        return folder

    def _file(self, name: str) -> str:
        return str(self.out / name)


def _result(command: Sequence[str], variables: dict[str, str] | None = None) -> dict[str, Any]:
    line = next(x for x in _output(command, variables).splitlines() if x.startswith("RESULT "))
    said: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return said


def _output(command: Sequence[str], variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _median(values: Any) -> float:
    return float(statistics.median(values))


def _percentile(values: Sequence[float], percent: int) -> float:
    return float(np.percentile(values, percent))


def _same_top_ten(found: Any, exact: Any) -> float:
    """Each of 500 passages as a question: what share of its ten nearest is the same."""
    nearest = [np.argsort(-(v[:500] @ v.T), axis=1)[:, :10] for v in (found, exact)]
    return float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(*nearest, strict=True)]))


def _rank_correlation(found: Any, exact: Any) -> float:
    """Spearman's, averaged over the questions."""
    return float(np.mean([spearmanr(a, b).statistic for a, b in zip(found, exact, strict=True)]))


def _picture(rows: Sequence[Row], path: Path) -> None:
    """How many times as fast, a bar a row."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [(f"{row.what}\nover {row.over}", row.times) for row in rows if row.times]
    figure, axes = pyplot.subplots(figsize=(10, 0.6 * len(shown) + 1))
    bars = axes.barh([label for label, _ in shown], [times for _, times in shown], color="#2f6f9f")
    axes.bar_label(bars, labels=[f"{times:.1f}×" for _, times in shown], padding=3)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main(
    corpus: Path,
    questions: Path,
    peers: str = "plain,langchain,txtai",
    count: int = 100_000,
    rounds: int = 5,
    cross_encoder: Path | None = None,
    only: Annotated[str, typer.Option(help="Of start,embedding,reranking,large_index,whole.")] = "",
    out: Path = Path("runs/bench"),
) -> None:
    """CORPUS: a folder of documents. QUESTIONS: a file, a question a line."""
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(corpus, questions, peers, count, rounds, cross_encoder, out)
    print(f"{_machine()}\n\n| what | rag | over | |\n|---|---|---|---|", flush=True)
    rows: list[Row] = []
    for part in (bench.start, bench.embedding, bench.reranking, bench.large_index, bench.whole):
        if not only or part.__name__ in only.split(","):
            for row in part():
                rows.append(row)
                print(row.line(), flush=True)
    record = {"machine": _machine(), "rows": [vars(row) for row in rows], "measured": bench.measured}
    (out / "bench.json").write_text(json.dumps(record, indent=1))
    _picture(rows, out / "bench.png")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    typer.run(main)
