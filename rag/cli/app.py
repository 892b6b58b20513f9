"""The command line: translates options into calls, results into text or JSON, errors into exit codes.

0 done, 1 a clear error, 2 wrong usage, 3 no answer in the documents. Commands import what they need
when they run: `rag --help` must not wait for a model library.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.evaluation import commands
from rag.cli.printing import print_json as _print_json
from rag.cli.training import commands as training
from rag.errors import InputError, RagError

NO_ANSWER = 3

app = typer.Typer(
    name="rag",
    help="Questions answered from your documents, reranked and with citations, offline by default.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings in YAML; RAG_* variables win over it.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", "-w", help="Only documents with this metadata; repeat for more.", metavar="KEY=VALUE"
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show every candidate's way: ranks, score, kept or why not.")
]


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")],
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove documents under PATH whose file is gone.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with files and folders. What is unchanged is not read again."""
    from rag.cli.progress import showing_progress
    from rag.cli.render import render_report
    from rag.contract import ingest_json

    rag = _rag(config)
    with showing_progress(quiet=as_json) as progress:
        report = rag.ingest(*paths, prune=prune, progress=progress)
    _print_json(ingest_json(report)) if as_json else render_report(report)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    where: Where = None,
    explain: Explain = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, with numbered citations."""
    from rag.cli.render import console, render_answer, render_ledger
    from rag.contract import answer_json
    from rag.filters import Where as Filter

    answer = _rag(config).pipeline.ask(question, Filter.parse(where or []))
    if as_json:
        _print_json(answer_json(answer))
    else:
        render_answer(console(), answer)
        if explain:
            render_ledger(console(), answer.trace)
    if not answer.found:
        raise typer.Exit(NO_ANSWER)


@app.command()
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
    from dataclasses import asdict

    from rag.cli.render import console, render_feedback
    from rag.feedback import FILE, add_feedback, judge_json, read_feedback

    if (answer is None) != (good is None) or (note and answer is None):
        raise typer.BadParameter("feedback needs an answer and --good or --bad")
    path = _settings(config).store.path / FILE
    if answer is None or good is None:
        found = read_feedback(path) if path.exists() else []
    else:
        found = [add_feedback(path, judge_json(_bytes(answer), good, note))]
    if as_json:
        _print_json({"path": str(path), "feedback": [asdict(given) for given in found]})
    else:
        render_feedback(console(), found)
        typer.echo(f"kept in {path}" if found else f"no feedback in {path}")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    where: Where = None,
    explain: Explain = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the passages for a question, without an answer."""
    from rag.cli.render import console, render_ledger, render_passages
    from rag.contract import search_json
    from rag.filters import Where as Filter

    result = _rag(config).pipeline.search(query, Filter.parse(where or []))
    if as_json:
        _print_json(search_json(result))
    else:
        render_passages(console(), result.passages)
        if explain:
            render_ledger(console(), result.trace)
    if not result.passages:
        raise typer.Exit(NO_ANSWER)


@app.command()
def why(
    question: Annotated[str, typer.Argument(help="The question.")],
    source: Annotated[str, typer.Argument(help="The document, by its source (see `rag status --sources`).")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell at which stage, and why, a document's best passage left the race."""
    from rag.cli.render import console, render_absence
    from rag.inspection.why import why as explain_absence

    absence = explain_absence(_rag(config), question, source)
    _print_json(asdict(absence)) if as_json else render_absence(console(), absence)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="Settings with a `run:` section.", metavar="CONFIG")],
    as_json: Json = False,
) -> None:
    """Ingest the config's sources, ask its questions, write answers, run record and report. Resumes."""
    from dataclasses import asdict

    from rag.cli.progress import showing_progress
    from rag.cli.render import render_run
    from rag.runs.run import run as run_config
    from rag.settings import Settings

    with showing_progress(quiet=as_json) as progress:
        summary = run_config(Settings.load(config), str(config), progress)
    _print_json(asdict(summary)) if as_json else render_run(summary)
    if summary.failed:
        raise typer.Exit(1)


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="Settings with a `run:` section.", metavar="CONFIG")],
    as_json: Json = False,
) -> None:
    """Tell what a run would send to whom, in how many calls, for how much. Sends nothing."""
    from rag.cli.render import console, render_costs
    from rag.inspection.costs import costs_of_run

    made = costs_of_run(_settings(config))
    _print_json(made.as_json()) if as_json else render_costs(console(), made)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Forget all scores.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show how many reranking scores are kept (policy.cache), or forget them."""
    from dataclasses import asdict

    from rag.second_stage.score_store import open_store

    settings = _settings(config)
    store = open_store(settings.store.path, settings.policy.cache_bytes)
    if clear:
        store.clear()
    found = store.status()
    if as_json:
        _print_json(asdict(found))
    else:
        typer.echo(f"{found.path}: {found.entries:,} scores, {found.bytes:,} bytes")


@app.command()
def status(
    sources: Annotated[bool, typer.Option("--sources", help="List the documents too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what the index holds."""
    from rag.cli.render import console, render_status
    from rag.inspection.status import read_status

    found = read_status(_rag(config), sources)
    _print_json(found) if as_json else render_status(console(), found)


@app.command()
def remove(
    sources: Annotated[list[str], typer.Argument(help="Documents, files or folders.", metavar="SOURCE...")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take documents out of the index. Their vectors go too, unless another document has the same text."""
    removed = _rag(config).remove(*sources)
    if as_json:
        _print_json({"removed": removed})
    else:
        typer.echo("\n".join([*(f"removed {source}" for source in removed)]))


@app.command()
def rebuild(
    embed: Annotated[
        bool, typer.Option("--embed", help="Cut and encode every document anew, by the present settings.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Fill Chroma and the lexical index again from the catalog. Without --embed nothing is encoded."""
    from rag.cli.progress import showing_progress

    with showing_progress(quiet=as_json) as progress:
        chunks = _rag(config).rebuild(embed, progress)
    if as_json:
        _print_json({"chunks": chunks})
    else:
        typer.echo(f"rebuilt the index: {chunks:,} chunks")


@app.command("config")
def show_config(config: Config = None, as_json: Json = False) -> None:
    """Print the resolved settings, and where each value came from."""
    from rag.cli.render import console, render_settings
    from rag.settings import Settings, resolved

    rows = list(resolved(Settings.load(config), config))
    if as_json:
        _print_json({key: {"value": value, "from": origin} for key, value, origin in rows})
    else:
        render_settings(console(), rows)


@app.command()
def doctor(config: Config = None, as_json: Json = False) -> None:
    """Check that keys are there, models load, the store can be written, and index and settings agree."""
    from rag.cli.render import console, render_checks
    from rag.inspection.doctor import examine

    checks = examine(_settings(config))
    if as_json:
        _print_json(
            {"ok": all(check.ok for check in checks), "checks": [check.as_json() for check in checks]}
        )
    else:
        render_checks(console(), checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def models(
    config: Annotated[Path | None, typer.Argument(help="Settings in YAML.", metavar="CONFIG")] = None,
    as_json: Json = False,
) -> None:
    """Name every model in use: version, licence, size, hash, training data, what runs it. Loads none."""
    from rag.cli.render import console, render_models
    from rag.inspection.models_in_use import models_in_use

    found = models_in_use(_settings(config))
    if as_json:
        _print_json({"models": [model.as_json() for model in found]})
    else:
        render_models(console(), found)


app.add_typer(commands)
app.add_typer(training)


@app.command()
def demo() -> None:
    """Ingest the handbook that comes with rag, ask it three questions, show what reranking moved."""
    from rag.cli.demo import show

    show()


def program() -> None:
    """The entry point. It leaves at once: a thousand modules take a quarter of a second to say goodbye,
    and whatever must not be lost is on disk, since a kill may come at any time."""
    # Importing makes half a million objects that stay: looking through them for garbage takes a tenth.
    gc.set_threshold(200_000, 50, 50)
    code: Any = 0
    try:
        main()
    except SystemExit as left:
        code = left.code or 0
    if not isinstance(code, int):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def main() -> None:
    """Errors that we raise on purpose become one line and exit code 1."""
    # A forked tokenizer would warn on stderr; threads of ours share one under a lock anyway.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _never_fail_to_print()
    try:
        app()
    except RagError as error:
        if "--json" in sys.argv:
            from rag.contract import error_json

            _print_json(error_json(error))
        else:
            typer.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has seen enough (`rag status --sources | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _never_fail_to_print() -> None:
    """A terminal that cannot show an arrow or a foreign letter gets its code instead of a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _rag(config: Path | None) -> Any:
    from rag.api import Rag

    return Rag(_settings(config))


def _bytes(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _settings(config: Path | None) -> Any:
    from rag.settings import Settings

    return Settings.load(config)
