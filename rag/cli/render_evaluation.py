"""What was measured, as text for people: the same figures as in the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rag.cli.render import console

# Questions shown of each comparison; the report has more.
_MOVED = 3
_COLOURS = {"adopt": "green", "keep": "cyan", "not enough questions": "yellow"}


def render_evaluation(found: Mapping[str, Any]) -> None:
    out = console()
    _warn(found)
    if found["after"]:
        table = Table("", "before", "after", box=None)
        for name, after in found["after"].items():
            table.add_row(name, f"{found['before'][name]:.3f}", f"{after:.3f}")
        out.print(table)
        _verdict("reranking", found["verdict"])
    answers = {name: value for name, value in found["answers"].items() if value is not None}
    out.print(Text(", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in answers.items())))
    out.print(_times(found))
    out.print(f"written to {escape(found['folder'])}: report.html, questions.jsonl, before.trec, after.trec")


def render_comparison(found: Mapping[str, Any]) -> None:
    out, metric = console(), found["metric"]
    _warn(found)
    table = Table("", metric, "gain", "95% interval", "p, corrected", "win / tie / loss", "ms", box=None)
    gains = {one["config"]: one["metrics"][metric] for one in found["comparisons"]}
    for arm in found["arms"]:
        gain = gains.get(arm["config"])
        told = _gain(gain) if gain else ("", "", "", "")
        total = arm["latency_ms"].get("total", {"p50": 0.0})
        table.add_row(escape(arm["config"]), f"{arm['after'][metric]:.3f}", *told, f"{total['p50']:.0f}")
    out.print(table)
    for one in found["comparisons"]:
        for move in one["moved"][:_MOVED]:
            gain = move["other"] - move["baseline"]
            out.print(f"  {gain:+.3f}  {escape(one['config'])}  [dim]{escape(move['text'])}[/]")
    for one in found["refused"]:
        out.print(f"[red]refused[/] {escape(one['config'])}: {escape(one['reason'])}")
    _verdict("", found["verdict"])
    out.print(f"written to {escape(found['folder'])}: report.html")


def _gain(gain: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        f"{gain['mean']:+.3f}",
        f"{gain['low']:+.3f} to {gain['high']:+.3f}",
        f"{gain['p_corrected']:.4f}",
        f"{gain['wins']} / {gain['ties']} / {gain['losses']}",
    )


def _warn(found: Mapping[str, Any]) -> None:
    out = console()
    if found["synthetic"]:
        out.print(
            f"[yellow]{found['synthetic']} of {found['questions']} questions are synthetic[/]: "
            "drafted by a machine, easier to find than what people ask"
        )
    for name in ("failed", "degraded"):
        if found.get(name):
            out.print(f"[red]{found[name]} questions {name}[/]: see questions.jsonl")
    if missing := found.get("missing_documents"):
        out.print(
            f"[yellow]{len(missing)} judged documents are not in the index[/], such as {escape(missing[0])}"
        )


def _verdict(about: str, verdict: Mapping[str, Any]) -> None:
    colour = _COLOURS[verdict["word"]]
    lead = f"{about}: " if about else ""
    console().print(f"[bold {colour}]{lead}{verdict['word']}[/]", Text(verdict["text"]))


def _times(found: Mapping[str, Any]) -> Text:
    stages = ", ".join(f"{name} {taken['p50']:.0f}" for name, taken in found["latency_ms"].items())
    return Text(f"median ms: {stages}")


def _shown(value: float | int) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value}"


def render_calibration(found: Mapping[str, Any], folder: Path) -> None:
    out = console()
    _warn(found)
    table = Table("held out", "log loss", "calibration error", "ndcg@10", box=None)
    for name, quality in {"as configured": found["before"], **found["tried"]}.items():
        chosen = "bold" if name == found["chosen"] else ""
        table.add_row(
            name,
            f"{quality['log_loss']:.4f}",
            f"{quality['calibration_error']:.4f}",
            f"{quality['ndcg@10']:.3f}",
            style=chosen,
        )
    out.print(table)
    colour = "green" if found["threshold"]["clean"] else "yellow"
    out.print(
        f"[bold {colour}]threshold {found['threshold']['threshold']:.4f}[/]", Text(found["threshold"]["text"])
    )
    out.print(
        f"written to {escape(found['path'])}; use it by `reranker: {{calibration: {escape(found['path'])}}}`"
    )
    out.print(f"report in {escape(str(folder))}")


def render_tuning(found: Mapping[str, Any], folder: Path) -> None:
    out = console()
    _warn(found)
    table = Table("front", "ms", "chosen by", "judged by", box=None)
    for trial in found["front"]:
        fused = f", rrf_k {trial['rrf_k']}" if trial["mode"] == "hybrid" else ""
        name = f"{trial['mode']} {trial['depth']}{fused}; {trial['reranker']}, {trial['evidence']}"
        test = "–" if trial["test"] is None else f"{trial['test']:.3f}"
        table.add_row(escape(name), f"{trial['ms']:.0f}", f"{trial['train']:.3f}", test)
    out.print(table)
    chosen = found["chosen"]
    for when, said in found["answers"].items():
        if said["false_answer_rate"] is not None:
            out.print(
                f"{when}: {said['recall']:.0%} of the answerable questions pass the threshold, and "
                f"{said['false_answer_rate']:.0%} of the others"
            )
    out.print(f"threshold {chosen['threshold']:.4f}, ratio {chosen['ratio'] or 'none'}")
    _verdict("", found["verdict"])
    out.print(f"{found['tried']} settings tried; written to {escape(found['path'])}")
    out.print(f"report in {escape(str(folder))}")


def render_drafts(found: Mapping[str, Any]) -> None:
    out = console()
    for example in found["examples"]:
        out.print(Text(f"  {example}"))
    by, path = escape(found["drafted_by"]), escape(found["path"])
    out.print(f"{found['questions']} questions drafted by {by} into {path}")
    out.print(
        "Review them: delete what nobody would ask. Reports made from them say that they are synthetic."
    )
