"""`rag demo`: from documents to answers, and what reranking did on the way."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from rag.api import Rag
from rag.cli.progress import showing_progress
from rag.cli.render import console, moved_arrow, render_answer, render_report
from rag.demo import QUESTIONS, STORE, UNANSWERABLE, crossings, prepare
from rag.types import Answer


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
    render_answer(out, answer)
    if answer.found:
        _show_moves(out, answer)


def _show_moves(out: Console, answer: Answer) -> None:
    """Who came into the passages that are used, and who had to leave."""
    rows, top = answer.trace.ledger, len(answer.passages)
    crossed = crossings(answer.trace, top)
    moved = sum(row.moved != 0 for row in rows)
    said = f"into and out of the first {top}:" if crossed else f"the first {top} stayed the same ones"
    out.print(f"\nWhat reranking moved: {moved} of {len(rows)} candidates; {said}")
    for row in crossed:
        out.print(
            f"  {moved_arrow(row.moved)}  from {row.fused_rank:>2} to {row.rerank_rank:>2}  "
            f"relevance {row.relevance:.2f}  [cyan]{escape(row.source)}[/]"
        )
