"""What a command prints, all of it: whatever a document says, it steers no terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from rag.shown import in_json, shown

if TYPE_CHECKING:  # 60 ms that `rag --help` need not pay
    from rich.console import Console


def echo(text: str, err: bool = False, colour: str | None = None) -> None:
    typer.secho(shown(text), fg=colour, err=err)


def print_json(value: Any) -> None:
    """UTF-8 whatever the terminal speaks; what UTF-8 cannot say, such as half a name's bytes, is escaped."""
    document = in_json(json.dumps(value, ensure_ascii=False))
    typer.echo(document.encode("utf-8", "backslashreplace"))


def console(stderr: bool = False) -> Console:
    """No colour codes and no wrapping of paths where the output is not a terminal."""
    from rag.cli.safe_console import SafeConsole

    found = SafeConsole(highlight=False, soft_wrap=True, stderr=stderr)
    if not found.is_terminal:
        found.width = 200
    return found
