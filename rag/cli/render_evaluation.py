"""What was measured, as text for people: the same figures as in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rag.cli.printing import console
from rag.evaluation.calibrate import CalibrationSummary
from rag.evaluation.compare import ComparisonSummary, CorrectedGain
from rag.evaluation.drafting import DraftsSummary
from rag.evaluation.summary import Summary
from rag.evaluation.tune import TuningSummary
from rag.evaluation.verdict import Verdict
from rag.runs.outcomes import Percentiles

# Questions shown of each comparison; the report has more.
_MOVED = 3
_COLOURS = {"adopt": "green", "keep": "cyan", "not enough questions": "yellow"}


def render_evaluation(found: Summary) -> None:
    out = console()
    _warn(found.synthetic, found.questions)
    for what, count in (("failed", found.failed), ("degraded", found.degraded)):
        if count:
            out.print(f"[red]{count} questions {what}[/]: see questions.jsonl")
    if missing := found.missing_documents:
        out.print(
            f"[yellow]{len(missing)} judged documents are not in the index[/], such as {escape(missing[0])}"
        )
    if found.after:
        table = Table("", "before", "after", box=None)
        for name, after in found.after.items():
            table.add_row(name, f"{found.before[name]:.3f}", f"{after:.3f}")
        out.print(table)
        _print_verdict("reranking", found.verdict)
    answers = {name: value for name, value in asdict(found.answers).items() if value is not None}
    out.print(Text(", ".join(f"{name.replace('_', ' ')} {_show(value)}" for name, value in answers.items())))
    out.print(_times(found.latency_ms))
    out.print(f"written to {escape(found.folder)}: report.html, questions.jsonl, before.trec, after.trec")


def render_comparison(found: ComparisonSummary) -> None:
    out, metric = console(), found.metric
    _warn(found.synthetic, found.questions)
    table = Table("", metric, "gain", "95% interval", "p, corrected", "win / tie / loss", "ms", box=None)
    gains = {one.config: one.metrics[metric] for one in found.comparisons}
    for arm in found.arms:
        gain = _gain(gains[arm.config]) if arm.config in gains else ("", "", "", "")
        total = arm.latency_ms.get("total")
        ms = f"{total.p50:.0f}" if total else "0"
        table.add_row(escape(arm.config), f"{arm.after[metric]:.3f}", *gain, ms)
    out.print(table)
    for one in found.comparisons:
        for move in one.moved[:_MOVED]:
            out.print(f"  {move.gain:+.3f}  {escape(one.config)}  [dim]{escape(move.text)}[/]")
    for refused in found.refused:
        out.print(f"[red]refused[/] {escape(refused.config)}: {escape(refused.reason)}")
    _print_verdict("", found.verdict)
    out.print(f"written to {escape(found.folder)}: report.html")


def render_calibration(found: CalibrationSummary, folder: Path) -> None:
    out = console()
    _warn(found.synthetic, found.questions)
    table = Table("held out", "log loss", "calibration error", "ndcg@10", box=None)
    for name, quality in {"as configured": found.before, **found.tried}.items():
        table.add_row(
            name,
            f"{quality.log_loss:.4f}",
            f"{quality.calibration_error:.4f}",
            f"{quality.ndcg:.3f}",
            style="bold" if name == found.chosen else "",
        )
    out.print(table)
    out.print("ndcg@10 of the passages that were found; `rag eval` also counts what the first stage misses")
    proposal, path = found.threshold, escape(found.path)
    colour = "green" if proposal.clean else "yellow"
    out.print(f"[bold {colour}]threshold {proposal.threshold:.4f}[/]", Text(proposal.text))
    if found.promise is not None:
        out.print(Text(found.promise.text))
    out.print(f"written to {path}; use it by `reranker: {{calibration: {path}}}`")
    out.print(f"report in {escape(str(folder))}")


def render_tuning(found: TuningSummary, folder: Path) -> None:
    out = console()
    _warn(found.synthetic, found.questions)
    table = Table("front", "ms", "chosen by", "judged by", box=None)
    for trial in found.front:
        test = "–" if trial.test is None else f"{trial.test:.3f}"
        table.add_row(escape(trial.label), f"{trial.ms:.0f}", f"{trial.train:.3f}", test)
    out.print(table)
    for when, answers in (("before", found.answers.before), ("after", found.answers.after)):
        if answers.recall is not None and answers.false_answer_rate is not None:
            out.print(
                f"{when}: {answers.recall:.0%} of the answerable questions pass the threshold, and "
                f"{answers.false_answer_rate:.0%} of the others"
            )
    out.print(f"threshold {found.chosen.threshold:.4f}, ratio {found.chosen.ratio or 'none'}")
    _print_verdict("", found.verdict)
    out.print(f"{found.tried} settings tried; written to {escape(found.path)}")
    out.print(f"report in {escape(str(folder))}")


def render_drafts(found: DraftsSummary) -> None:
    out = console()
    for example in found.examples:
        out.print(Text(f"  {example}"))
    by, path = escape(found.drafted_by), escape(found.path)
    out.print(f"{found.questions} questions drafted by {by} into {path}")
    out.print(
        "Review them: delete what nobody would ask. Reports made from them say that they are synthetic."
    )


def _gain(gain: CorrectedGain) -> tuple[str, str, str, str]:
    return (
        f"{gain.mean:+.3f}",
        f"{gain.low:+.3f} to {gain.high:+.3f}",
        f"{gain.p_corrected:.4f}",
        f"{gain.wins} / {gain.ties} / {gain.losses}",
    )


def _warn(synthetic: int, questions: int) -> None:
    if synthetic:
        console().print(
            f"[yellow]{synthetic} of {questions} questions are synthetic[/]: "
            "drafted by a machine, easier to find than what people ask"
        )


def _print_verdict(about: str, verdict: Verdict) -> None:
    lead = f"{about}: " if about else ""
    console().print(f"[bold {_COLOURS[verdict.word]}]{lead}{verdict.word}[/]", Text(verdict.text))


def _times(latency: Mapping[str, Percentiles]) -> Text:
    return Text(f"median ms: {', '.join(f'{name} {taken.p50:.0f}' for name, taken in latency.items())}")


def _show(value: float | int) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value}"
