"""`rag demo`: from documents to answers, and what reranking did on the way."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from rag.api import Rag
from rag.cli.printing import console
from rag.cli.progress import showing_progress
from rag.cli.render import Detail, moved_arrow, render_answer, render_report
from rag.cli.sources import Names
from rag.files.shipped import handbook
from rag.protocols import Progress, silent
from rag.settings import Settings
from rag.types import Answer, CandidateTrace, IngestReport, Trace


def show() -> None:
    out = console()
    out.print("[bold]Ingesting the handbook of an invented observatory[/] (the first time takes a while)")
    with showing_progress(quiet=False) as progress:
        rag, report = prepare(progress)
    render_report(report)
    for question in QUESTIONS:
        _show_question(out, rag, question)
    out.print("\n[bold]And one that the handbook does not answer:[/]")
    _show_question(out, rag, UNANSWERABLE)
    out.print(
        f'\nAsk your own: [bold]RAG_STORE__PATH={STORE} rag ask "What does alarm A-217 mean?"[/]\n'
        "and your own documents: [bold]rag ingest FOLDER[/], then [bold]rag ask QUESTION[/]"
    )


def _show_question(out: Console, rag: Rag, question: str) -> None:
    out.print(f"\n[bold]? {escape(question)}[/]\n")
    answer = rag.ask(question)
    # The handbook's own names: where Python has installed it is nobody's concern.
    render_answer(out, answer, Names(lambda source: None), Detail())
    if answer.found:
        _show_moves(out, answer)


def _show_moves(out: Console, answer: Answer) -> None:
    """Who came into the passages that are used, and who had to leave."""
    rows, top = answer.trace.candidates, len(answer.passages)
    crossed = crossings(answer.trace, top)
    moved = sum(row.moved != 0 for row in rows)
    said = f"into and out of the first {top}:" if crossed else f"the first {top} stayed the same ones"
    out.print(f"\nWhat reranking moved: {moved} of {len(rows)} candidates; {said}")
    for row in crossed:
        out.print(
            f"  {moved_arrow(row.moved)}  from {row.fused_rank:>2} to {row.rerank_rank:>2}  "
            f"relevance {row.relevance:.2f}  [cyan]{escape(row.source)}[/]"
        )


STORE = Path(".rag/demo")
QUESTIONS = (
    "How do I reset the tracker?",
    "At what wind gust do we have to close Dome 1?",
    "G1 refuses to start during a blackout. "
    "Which two breakers do I open before I throw the change-over switch?",
)
UNANSWERABLE = "Who won the chess world championship in 1985?"


def prepare(progress: Progress = silent, store: Path = STORE) -> tuple[Rag, IngestReport]:
    """The handbook in its index under the working folder: a second time nothing is left to do."""
    # Not as an argument: RAG_STORE__PATH would win over it, and the handbook land in the user's own index.
    settings = Settings.load()
    rag = Rag(settings.model_copy(update={"store": settings.store.beside(store)}))
    folder = handbook()
    # Sources are named from the handbook's own folder, wherever Python has installed it.
    rag.name_sources_from(folder.parent)
    return rag, rag.ingest(folder, prune=True, progress=progress)


def crossings(trace: Trace, top: int) -> list[CandidateTrace]:
    """The candidates that reranking brought into the first `top`, then those that it sent away."""
    rows = sorted(trace.candidates, key=lambda row: row.rerank_rank)
    return [row for row in rows if (row.fused_rank <= top) != (row.rerank_rank <= top)]
