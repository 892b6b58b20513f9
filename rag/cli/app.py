"""The command line: translates options into calls, results into text or JSON, errors into exit codes.

0 done, 1 a clear error, 2 wrong usage, 3 no answer in the documents. Commands import what they need
when they run: `rag --help` must not wait for a model library.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

import typer

from rag.cli import asking, evaluation, indexing, inspecting, training
from rag.cli.printing import echo, print_json
from rag.errors import RagError

app = typer.Typer(
    name="rag",
    help="Questions answered from your documents, reranked and with citations, offline by default.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (indexing, asking, inspecting, evaluation, training):
    app.add_typer(room.commands)


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

            print_json(error_json(error))
        else:
            echo(f"{type(error).__name__}: {error}", err=True, colour="red")
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
