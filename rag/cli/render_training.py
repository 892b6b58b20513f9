"""A training as text for people: what it will do, and what came of it."""

from __future__ import annotations

from rich.markup import escape
from rich.text import Text

from rag.cli.printing import console
from rag.training.plan import Plan
from rag.training.reader import TrainedReader
from rag.training.trained import TrainedSummary


def render_training_plan(plan: Plan) -> None:
    out = console()
    out.print(
        f"[bold]{escape(plan.model)}[/] learns from {plan.train:,} questions, {plan.pairs:,} passages that "
        f"answer them, {plan.wrong:,} that only look so, {plan.titles:,} titles"
    )
    if plan.synthetic:
        out.print(f"[yellow]{plan.synthetic:,} of the questions are synthetic[/]: drafted by a machine")
    out.print(f"held out: {plan.stop:,} questions to choose by, {plan.judge:,} to judge by")
    out.print(
        f"{plan.steps:,} steps, {plan.epochs:g} epochs, {plan.seconds_a_step:.2f} s a step: about "
        f"{plan.training_minutes:.0f} minutes; then {plan.passages:,} passages encoded for the verdict, "
        f"about {plan.encoding_minutes:.0f} minutes"
    )


def render_trained(found: TrainedSummary) -> None:
    out, verdict = console(), found.verdict
    gain = verdict.gain
    colour = "green" if verdict.word == "adopt" else "yellow"
    out.print(
        f"{verdict.metric} {verdict.before:.3f} → {verdict.after:.3f} on {gain.questions} "
        f"questions held out: [bold {colour}]{gain.mean:+.3f}[/] (95% interval {gain.low:+.3f} to "
        f"{gain.high:+.3f}); first stage alone {verdict.first_stage.mean:+.3f}"
    )
    if not found.installed:
        out.print("[bold red]not installed[/]", Text(verdict.text))
        if not found.best_step:
            out.print(
                "no look at held-out questions was above the start, whose weights were kept: nothing was "
                "encoded and judged. `rag calibrate` may gain without training"
            )
            return
        out.print("--force keeps it all the same; the work so far is kept for that")
        return
    if verdict.word != "adopt":
        out.print("[yellow]installed by --force[/]", Text(verdict.text))
    out.print(f"written to {escape(found.out)}; in the config:")
    out.print(Text(found.config_lines, style="bold"))
    if found.kind == "embedder":
        out.print("then `rag rebuild --embed` encodes the index anew; the old one answers meanwhile")


def render_trained_reader(found: TrainedReader) -> None:
    out, gain = console(), found.gain
    colour = "green" if gain.low > 0 else "yellow"
    out.print(
        f"passages without the answer read as less likely to hold it: {found.before:.3f} → {found.after:.3f} "
        f"on {gain.questions} questions held out: [bold {colour}]{gain.mean:+.3f}[/] "
        f"(95% interval {gain.low:+.3f} to {gain.high:+.3f})"
    )
    if not found.installed:
        out.print("[bold red]not installed[/]: it is not shown to be better; --force keeps it all the same")
        return
    out.print(f"written to {escape(found.out)}; in the config:")
    out.print(Text(found.config_lines, style="bold"))
