"""Results as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from rag.answers.excerpt import Excerpt, excerpt, whole_passage
from rag.cli.printing import console
from rag.cli.sources import Names, Shown, numbered_text, numbers, sources
from rag.shown import in_line
from rag.types import Answer, IngestReport, Passage, RerankTrace, SearchResult, Trace

if TYPE_CHECKING:
    from rag.feedback import Feedback
    from rag.inspection.doctor import Check
    from rag.inspection.models_in_use import Model
    from rag.inspection.status import Status
    from rag.inspection.why import Absence
    from rag.runs.costs import Costs
    from rag.runs.run import RunSummary

_MARK = "bold yellow not dim"
# Some model cards have thousands.
_FIGURES = 8


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown. short: an answer and its sources, or places alone. full: passages whole."""

    passages: bool = False
    full: bool = False
    short: bool = False
    stages: bool = False


def render_report(report: IngestReport) -> None:
    out = console()
    _render_counts(out, report)
    out.print(f"{report.chunks:,} chunks written, {report.embedded:,} encoded, {report.seconds:.1f} s")


def render_plan_of_ingest(report: IngestReport) -> None:
    out = console()
    _render_counts(out, report)
    out.print(f"would write {report.chunks:,} chunks and encode {report.embedded:,}; nothing was written")


def _render_counts(out: Console, report: IngestReport) -> None:
    counts = ("new", "changed", "unchanged", "removed")
    out.print(
        ", ".join(f"{getattr(report, name)} {name}" for name in counts) + f", {len(report.skipped)} skipped"
    )
    for skipped in report.skipped:
        out.print(f"  [yellow]skipped[/] {escape(in_line(skipped.source))}: {escape(skipped.reason)}")
    if report.furniture:
        out.print(f"furniture: {report.furniture:,} lines in {report.furnished:,} documents left out")


def render_answer(out: Console, answer: Answer, names: Names, detail: Detail) -> None:
    """The answer, its sources once, its confidence; the rest where it is asked for."""
    out.print(Text(numbered_text(answer, names)))
    if answer.notice and not detail.short:
        out.print(Text(answer.notice, style="dim"))
    if answer.citations:
        out.print()
    for shown in sources(answer, names):
        out.print(_source_line(shown))
    if not detail.short:
        out.print(_confidence(answer))
    if detail.passages and answer.passages:
        out.print()
        render_passages(out, answer.question, answer.passages, names, detail, numbers(answer, names))
    if detail.stages:
        _render_stages(out, answer.trace)
    _render_trouble(out, answer.trace)


def _source_line(shown: Shown) -> Text:
    style = Style(link=shown.link) if shown.link else Style()
    line = Text(f"[{shown.number}] ").append(shown.place, style)
    return line.append("".join(f"  {flag}" for flag in shown.flags), "red")


def _confidence(answer: Answer) -> Text:
    """How likely it is that what is shown holds the answer, and what to do where it is not."""
    told = f"confidence {answer.confidence:.2f}"
    if answer.state == "unsure":
        told += ": unsure; --passages shows where these words stand"
    if answer.state == "not_found" and answer.trace.candidates:
        told = f"{told}; `rag search` shows the passages that come nearest"
    return Text(told, style="dim" if answer.found else "yellow")


def render_search(out: Console, found: SearchResult, names: Names, detail: Detail) -> None:
    render_passages(out, found.question, found.passages, names, detail)
    if detail.stages:
        _render_stages(out, found.trace)
    _render_trouble(out, found.trace)


def render_passages(
    out: Console,
    question: str,
    passages: Sequence[Passage],
    names: Names,
    detail: Detail,
    cited: Mapping[int, int] | None = None,
) -> None:
    """Each with the number by which an answer cites it, or by which `rag open` knows it."""
    if not passages:
        out.print("No passage is relevant enough.")
    for number, passage in enumerate(passages, start=1):
        mark = f"{number}" if cited is None else f"[{cited[number]}]" if number in cited else "·"
        arrow = moved_arrow(passage.candidate.rank - passage.rank)
        place = escape(names.of_passage(passage))
        out.print(f"[bold]{escape(mark):<2}[/] {passage.relevance:.2f} {arrow}  [cyan]{place}[/]")
        if detail.full:
            out.print(Padding(_marked(whole_passage(question, passage.chunk)), (0, 0, 1, 3)))
        elif not detail.short:
            out.print(Text("   ").append_text(_marked(excerpt(question, passage.chunk))))


def _marked(found: Excerpt) -> Text:
    shown = Text(found.text, style="dim")
    for start, end in found.marks:
        shown.stylize(_MARK, start, end)
    return shown


def render_candidates(out: Console, trace: Trace) -> None:
    table = Table(
        "dense", "lexical", "fused", "reranked", "", "score", "relevance", "source", "kept, or why not"
    )
    for row in trace.candidates:
        table.add_row(
            str(row.dense_rank or "–"),
            str(row.lexical_rank or "–"),
            str(row.fused_rank),
            str(row.rerank_rank),
            moved_arrow(row.moved),
            f"{row.score:.3f}",
            f"{row.relevance:.3f}",
            escape(in_line(row.source)),
            "[green]kept[/]" if row.kept else escape(row.reason),
        )
    out.print(table)


def render_absence(out: Console, absence: Absence) -> None:
    out.print(f"[cyan]{escape(in_line(absence.source))}[/]: {absence.stage}")
    out.print(Text(absence.reason))
    if absence.row is not None:
        row = absence.row
        out.print(
            f"dense rank {row.dense_rank or '–'}, lexical rank {row.lexical_rank or '–'}, "
            f"fused {row.fused_rank}, reranked {row.rerank_rank}, score {row.score:.3f}, "
            f"relevance {row.relevance:.3f}"
        )
    if absence.excerpt:
        out.print(Text(absence.excerpt, style="dim"))


def render_feedback(out: Console, given: Sequence[Feedback]) -> None:
    for feedback in given:
        word = "[green]good[/]" if feedback.good else "[red]bad [/]"
        told = f"{escape(feedback.time)}  {word}  {escape(feedback.question)}"
        out.print(told + ("" if feedback.found else "  [dim](not found)[/]"))
        if feedback.note:
            out.print(Text(f"   {feedback.note}", style="dim"))


def render_run(summary: RunSummary) -> None:
    out = console()
    out.print(
        f"{summary.questions} questions: {summary.found} answered, {summary.not_found} not in the documents"
    )
    if summary.failed:
        out.print(f"[red]{summary.failed} failed[/]: see answers.jsonl")
    if summary.makeshift:
        out.print(f"[yellow]{summary.makeshift} ranked late or by a stand-in[/]: run again to try them anew")
    if summary.discarded:
        out.print(
            f"{summary.discarded} answers of an earlier run did not fit these settings and were made anew"
        )
    if summary.resumed:
        out.print(f"{summary.resumed} answers were there from an earlier run")
    out.print(f"written to {escape(str(summary.out))}")


def render_costs(out: Console, costs: Costs) -> None:
    about = "about " if costs.estimated else ""
    out.print(
        f"{costs.documents:,} documents, {about}{costs.passages:,} passages, {costs.questions:,} questions"
    )
    if not costs.parts:
        out.print("Nothing leaves this machine.")
        return
    table = Table("part", "to", "what it is sent", "calls", "tokens", "units", "cost", box=None)
    for part in costs.parts:
        cost = "no price" if part.cost is None else f"{part.cost:.4f}"
        counts = (f"{part.calls:,}", f"{part.tokens:,}", f"{part.units:g}", cost)
        table.add_row(f"{part.part} {part.kind}", escape(part.host), escape(part.text), *counts)
    out.print(table)
    total = "unknown: policy.prices has no price for it" if costs.cost is None else f"{costs.cost:.4f}"
    out.print(
        f"At most{', about' * costs.estimated}, with nothing cached and no call repeated. In money: {total}"
    )
    if costs.parts:
        out.print("Tokens are estimated: a quarter of the bytes.")


def render_status(out: Console, status: Status, sources: Sequence[str]) -> None:
    for key, value in asdict(status).items():
        out.print(f"{key:<12} {escape(str(value)) if not isinstance(value, int) else f'{value:,}'}")
    for source in sources:
        out.print(f"  {escape(in_line(source))}")


def render_settings(out: Console, rows: Iterable[tuple[str, Any, str]]) -> None:
    table = Table("setting", "value", "from", box=None)
    for key, value, origin in rows:
        shown = "" if value is None else str(value).replace("\n", "\\n")
        table.add_row(key, escape(shown), escape(origin), style="" if origin != "default" else "dim")
    out.print(table)


def render_checks(out: Console, checks: Sequence[Check]) -> None:
    for check in checks:
        mark = "[green]ok[/]  " if check.ok else "[red]FAIL[/]"
        out.print(f"{mark} {check.name:<10} {escape(check.detail)}")


def render_models(out: Console, models: Sequence[Model]) -> None:
    for model in models:
        out.print(Text(model.name or "a model without a name", style="bold"))
        for name, value in _facts(model):
            if value:
                out.print(f"  {name:<11} {escape(value)}")


def _facts(model: Model) -> Iterator[tuple[str, str]]:
    yield "used as", model.used_as
    if model.host:
        yield "at", f"{model.host}; its weights are not known here"
        return
    yield "version", model.version
    if model.sha256:
        yield "licence", model.licence or "not stated"
        yield "weights", model.size
        yield "sha256", model.sha256
        yield "trained on", model.trained_on or "not stated"
    figures = [f"{name} {value}" for name, value in model.figures.items()]
    more = f" and {len(figures) - _FIGURES} more (--json)" if len(figures) > _FIGURES else ""
    yield "figures", ", ".join(figures[:_FIGURES]) + more
    yield "run by", model.run_by
    yield "folder", model.folder
    yield "problem", model.problem


def moved_arrow(moved: int) -> str:
    if moved == 0:
        return "[dim]  =[/]"
    return f"[green]↑{moved:>2}[/]" if moved > 0 else f"[red]↓{-moved:>2}[/]"


def rerank_line(rerank: RerankTrace) -> str:
    """Who scored, how it went and why, and what it cost."""
    line = f"reranker {rerank.kind} {rerank.model}".rstrip() + f": {rerank.status}"
    if rerank.reason:
        line += f" ({rerank.reason.rstrip('.')})"
    if rerank.cached:
        line += f", {rerank.cached} from the cache"
    return line if rerank.cost is None else f"{line}, cost {rerank.cost:.6g}"


def _render_stages(out: Console, trace: Trace) -> None:
    """One line: who ranked, how it went, and where the time was spent."""
    rerank = trace.rerank
    who = rerank_line(rerank) if rerank else ""
    times = ", ".join(f"{stage.name} {stage.ms:.0f} ms" for stage in trace.stages)
    out.print(Text(f"\n{who}; {times}", style="dim"))
    if trace.read and trace.read.found is not None:
        read = trace.read
        told = f"{read.model}: the answer is there with {read.found:.2f} (least {read.threshold:.2f})"
        cut = f"; of {read.cut} of the passages it read the beginning alone" if read.cut else ""
        out.print(Text(told + cut, style="dim"))


def _render_trouble(out: Console, trace: Trace) -> None:
    """What a user should know of an answer, however short it is."""
    if trace.rerank and trace.rerank.status in ("late", "degraded"):
        out.print(Text(rerank_line(trace.rerank), style="yellow"))
    for note in trace.notes:
        out.print(Text(f"note: {note}", style="yellow"))
