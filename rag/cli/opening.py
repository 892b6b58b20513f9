"""`rag open`: a source of the last answer, at its place, in whatever the system opens it with."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import Annotated

import typer

from rag.cli.printing import echo
from rag.errors import InputError

commands = typer.Typer()


@commands.command("open")
def open_source(
    number: Annotated[int, typer.Argument(help="The number of the source.", metavar="NUMBER")] = 1,
) -> None:
    """Open a source of the last answer or search, at its place. RAG_OPENER names another program."""
    from rag.cli.remembered import recall

    link = recall(number)
    done = subprocess.run([*_opener(), link], check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise InputError(f"{_opener()[0]} could not open {link} (exit code {done.returncode})")
    echo(link)


def _opener() -> list[str]:
    """No shell reads the address: it is one argument."""
    if chosen := os.environ.get("RAG_OPENER"):
        return shlex.split(chosen)
    if sys.platform == "win32":
        return ["explorer"]
    name = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(name) is None:
        raise InputError(f"{name} is not installed: RAG_OPENER names the program that opens an address")
    return [name]
