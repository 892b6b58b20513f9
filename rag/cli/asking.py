"""Commands that ask: ask, search, why, feedback."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import Config, Json, open_rag
from rag.cli.printing import echo, print_json
from rag.errors import ConfigError, InputError

NO_ANSWER = 3
_MOST_OF_AN_ANSWER = 50_000_000

commands = typer.Typer()

Question = Annotated[str, typer.Argument(help="The question.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", "-w", help="Only documents with this metadata; repeat for more.", metavar="KEY=VALUE"
    ),
]
TopK = Annotated[
    int | None, typer.Option("--top-k", min=1, help="At most so many passages; reranker.top_k.", metavar="N")
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Least relevance of a passage; reranker.threshold."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show every candidate's way: ranks, score, kept or why not.")
]
Full = Annotated[bool, typer.Option("--full", help="Passages whole, not the place that matched.")]


@commands.command()
def ask(
    question: Question,
    where: Where = None,
    top_k: TopK = None,
    threshold: Threshold = None,
    passages: Annotated[
        bool, typer.Option("--passages", "-p", help="Show the passages that the answer was made from too.")
    ] = False,
    full: Full = False,
    short: Annotated[bool, typer.Option("--short", help="The answer and its sources, no more.")] = False,
    explain: Explain = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, with numbered citations."""
    from rag.cli.printing import console
    from rag.cli.remembered import remember
    from rag.cli.render import Detail, render_answer, render_candidates
    from rag.cli.sources import Names, sources
    from rag.contract import answer_json
    from rag.filters import Where as Filter

    rag = open_rag(config, quiet=as_json)
    answer = rag.ask(question, Filter.parse(where or []), top_k=top_k, threshold=threshold)
    if as_json:
        print_json(answer_json(answer))
    else:
        names = Names(rag.file_of)
        render_answer(console(), answer, names, Detail(passages or full, full, short, explain))
        if explain:
            render_candidates(console(), answer.trace)
        remember({shown.number: shown.link for shown in sources(answer, names)})
    if not answer.found:
        raise typer.Exit(NO_ANSWER)


@commands.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    where: Where = None,
    top_k: TopK = None,
    threshold: Threshold = None,
    full: Full = False,
    short: Annotated[bool, typer.Option("--short", help="Places alone, a line each.")] = False,
    explain: Explain = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the passages for a question, without an answer."""
    from rag.cli.printing import console
    from rag.cli.remembered import remember
    from rag.cli.render import Detail, render_candidates, render_search
    from rag.cli.sources import Names
    from rag.contract import search_json
    from rag.filters import Where as Filter

    rag = open_rag(config, quiet=as_json)
    result = rag.search(query, Filter.parse(where or []), top_k=top_k, threshold=threshold)
    if as_json:
        print_json(search_json(result))
    else:
        names = Names(rag.file_of)
        render_search(console(), result, names, Detail(True, full, short, explain))
        if explain:
            render_candidates(console(), result.trace)
        remember({at: names.link_of(passage) for at, passage in enumerate(result.passages, 1)})
    if not result.passages:
        raise typer.Exit(NO_ANSWER)


@commands.command()
def why(
    question: Question,
    source: Annotated[str, typer.Argument(help="The document, by its source or the end of it.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell at which stage, and why, a document's best passage left the race."""
    from rag.cli.printing import console
    from rag.cli.render import render_absence

    absence = open_rag(config, quiet=as_json).why(question, source)
    print_json(asdict(absence)) if as_json else render_absence(console(), absence)


@commands.command()
def feedback(
    answer: Annotated[
        Path | None,
        typer.Argument(help="What `rag ask --json` printed; - is the standard input.", metavar="ANSWER"),
    ] = None,
    good: Annotated[bool | None, typer.Option("--good/--bad", help="Whether it was right.")] = None,
    note: Annotated[str, typer.Option("--note", help="Anything worth remembering.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Keep what you think of an answer, to train with. Without an answer: list what is kept."""
    from rag.cli.printing import console
    from rag.cli.render import render_feedback

    if (answer is None) != (good is None) or (note and answer is None):
        raise typer.BadParameter("feedback needs an answer and --good or --bad")
    rag = open_rag(config, quiet=as_json)
    if answer is None or good is None:
        found = rag.given_feedback()
    else:
        found = [rag.feedback(_read(answer), good=good, note=note)]
    if as_json:
        print_json({"path": str(rag.feedback_file), "feedback": [asdict(given) for given in found]})
    else:
        render_feedback(console(), found)
        echo(f"kept in {rag.feedback_file}" if found else f"no feedback in {rag.feedback_file}")


def _read(path: Path) -> bytes:
    from rag.files.given import read_given

    if str(path) != "-":
        try:
            return read_given(path, "the answer", _MOST_OF_AN_ANSWER)
        except ConfigError as error:
            raise InputError(str(error)) from error
    content = sys.stdin.buffer.read(_MOST_OF_AN_ANSWER + 1)
    if len(content) > _MOST_OF_AN_ANSWER:
        raise InputError(f"the standard input holds more than an answer: {_MOST_OF_AN_ANSWER:,} bytes")
    return content
