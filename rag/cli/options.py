"""Options that several commands have, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # commands import what they need when they run
    from rag.api import Rag
    from rag.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings in YAML, instead of the rag.yaml that is found; RAG_* variables win over both.",
        metavar="FILE",
    ),
]
RunConfig = Annotated[Path, typer.Argument(help="Settings with a `run:` section.", metavar="CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def open_rag(config: Path | None, quiet: bool = False) -> Rag:
    from rag.api import Rag

    return Rag(load_settings(config, quiet))


def load_settings(config: Path | None, quiet: bool = False) -> Settings:
    """`quiet`: where stdout is for machines, stderr says nothing of a config that was found either."""
    from rag.cli.found_config import found_settings
    from rag.settings import Settings

    return Settings.load(config) if config is not None else found_settings(quiet)
