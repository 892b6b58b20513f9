"""Commands for the config of a folder: init, allow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.printing import echo
from rag.errors import ConfigError

commands = typer.Typer()

_TEXT = """\
# Settings of `rag` for this folder and those below it; paths are relative to it. What is not set has its
# default: `rag config` shows every setting, and where it came from.

store:
  path: .rag                    # where the index lies

#loader:
#  exclude: [drafts/, "*.log"]  # what is not ingested, as in a .gitignore file
#reranker:
#  top_k: 5                     # most passages that an answer is made from
#answer:
#  unsure_rate: 0.1             # share of questions with an answer that may be called unsure

# Answers written by a language model, here one on this machine. It is sent the passages, so `rag allow`
# has to be said once:
#generator:
#  kind: openai
#  base_url: http://localhost:11434/v1
#  model: qwen3:8b
"""


@commands.command()
def init() -> None:
    """Write a short rag.yaml into this folder: settings for all commands in and below it."""
    from rag.cli.found_config import NAME

    try:
        with Path(NAME).open("x", encoding="utf-8") as file:
            file.write(_TEXT)
    except FileExistsError:
        raise ConfigError(f"there is a {NAME} in this folder already") from None
    except OSError as error:
        raise ConfigError(f"{NAME} cannot be written: {error.strerror}") from error
    echo(f"wrote {NAME}; next: rag ingest FOLDER")


@commands.command()
def allow(
    file: Annotated[
        Path | None, typer.Argument(help="Without it: the one that is found.", metavar="FILE")
    ] = None,
) -> None:
    """Allow the rag.yaml that is found here to do what it asks for, until it is changed."""
    from rag.cli.found_config import NAME, FoundConfig, find_config
    from rag.cli.trust import allow as keep

    path = file or find_config(Path.cwd())
    if path is None:
        raise ConfigError(f"there is no {NAME} in this folder or above it: `rag init` writes one")
    config = FoundConfig.read(path.absolute())
    keep(config.path, config.raw)
    wishes = config.wishes()
    echo(f"allowed {os.path.relpath(config.path)}, until it is changed" + (":" if wishes else ""))
    for wish in wishes:
        echo(f"  {wish}")
