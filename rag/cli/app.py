"""The command line: translates options into calls, results into text or JSON, errors into exit codes.

0 done, 1 a clear error, 2 wrong usage, 3 no answer in the documents. Commands import what they need
when they run: `rag --help` must not wait for a model library.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from difflib import get_close_matches
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.models import CommandInfo

from rag import __version__
from rag.cli import (
    asking,
    configuring,
    evaluation,
    indexing,
    inspecting,
    opening,
    streams,
    training,
    watching,
)
from rag.cli.printing import echo, print_json
from rag.errors import InputError, RagError
from rag.shown import shown

# What typer raises where it is given an option or a value that there is not.
_UsageError: Any = typer.BadParameter.__base__
# In an order of use: whoever is in a hurry reads the first.
_GROUPS = {
    "Start": "demo init ingest ask search open",
    "Look closer": "why status config doctor models help",
    "Keep it": "watch remove rebuild backup restore cache allow",
    "Many questions": "run plan feedback",
    "Measure and improve": "questions eval compare calibrate tune train",
}

app = typer.Typer(
    name="rag",
    help="Questions answered from your documents, reranked and with citations, offline by default.",
    epilog='First: rag ingest FOLDER, then rag ask "How do I reset the tracker?". '
    "Exit code 0: done, 1: an error that says what to do, 2: wrong usage, 3: no sure answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"rag {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def demo() -> None:
    """Ingest the handbook that comes with rag, ask it three questions, show what reranking moved."""
    from rag.cli.demo import show

    show()


def show_help(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(help="Of this command.", metavar="COMMAND")] = None,
) -> None:
    """Show this page, or what a command takes."""
    root = context.find_root()
    if command is None:
        typer.echo(root.get_help())
        return
    group = cast(TyperGroup, root.command)
    found = group.get_command(root, command)
    if found is None:
        near = get_close_matches(command, group.list_commands(root), n=1)
        raise InputError(
            f"there is no command {command!r}" + (f": did you mean {near[0]!r}?" if near else "")
        )
    typer.echo(found.get_help(found.context_class(found, info_name=command, parent=root)))


def _register() -> None:
    """Each command in its group."""
    rooms = (indexing, asking, opening, configuring, inspecting, watching, evaluation, training)
    known = {_name(info): info for room in rooms for info in room.commands.registered_commands}
    known |= {"demo": CommandInfo("demo", callback=demo), "help": CommandInfo("help", callback=show_help)}
    for group, names in _GROUPS.items():
        for name in names.split():
            info = known.pop(name)
            info.rich_help_panel = group
            app.registered_commands.append(info)
    assert not known, f"in no group: {known}"


def _name(info: CommandInfo) -> str:
    return info.name or str(getattr(info.callback, "__name__", ""))


_register()


def program() -> None:
    """The entry point. It leaves at once: a thousand modules take a quarter of a second to say goodbye,
    and whatever must not be lost is on disk, since a kill may come at any time."""
    # Importing makes half a million objects that stay: looking through them for garbage takes a tenth.
    gc.set_threshold(200_000, 50, 50)
    streams.prepare()
    code: Any = 0
    try:
        main()
    except SystemExit as left:
        code = left.code or 0
    except Exception:  # noqa: BLE001 - a fault of ours, with whatever text is in it
        echo(traceback.format_exc(), err=True)
        code = 1
    if not streams.flushed():
        code = code or 1
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Errors that we raise on purpose become one line and exit code 1."""
    # A forked tokenizer would warn on stderr; threads of ours share one under a lock anyway.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    streams.never_fail_to_print()
    try:
        sys.exit(app(standalone_mode=False, prog_name="rag"))
    except _UsageError as error:
        _show_usage(error)
        sys.exit(error.exit_code)
    except typer.Abort:
        echo("Aborted.", err=True)
        sys.exit(1)
    except RagError as error:
        _show(error)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has seen enough (`rag status --sources | head`).
        streams.flushed()
        sys.exit(1)
    except OSError as error:
        # The output's, where it names no file.
        about = f" {error.filename}" if error.filename else ": the output could not be written"
        echo(f"OSError{about}: {error.strerror or error}", err=True, colour="red")
        sys.exit(1)


def _show(error: RagError) -> None:
    if "--json" in sys.argv:
        from rag.contract import error_json

        print_json(error_json(error))
    else:
        echo(f"{type(error).__name__}: {error}", err=True, colour="red")


def _show_usage(error: Any) -> None:
    """As typer does, but that it quotes what was given, whatever stands in it."""
    from typer.rich_utils import rich_format_error

    message = shown(error.format_message())
    error.format_message = lambda: message
    rich_format_error(error)
