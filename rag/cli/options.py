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
    typer.Option("--config", "-c", help="Settings in YAML; RAG_* variables win over it.", metavar="FILE"),
]
RunConfig = Annotated[Path, typer.Argument(help="Settings with a `run:` section.", metavar="CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def open_rag(config: Path | None) -> Rag:
    from rag.api import Rag

    return Rag(load_settings(config))


def load_settings(config: Path | None) -> Settings:
    from rag.settings import Settings

    return Settings.load(config)
