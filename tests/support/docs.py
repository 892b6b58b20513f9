"""What the documentation says, as tests read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import typer.main
from typer.core import TyperGroup

from rag.cli.app import app

COMMANDS = cast(TyperGroup, typer.main.get_command(app)).commands


def rows(page: Path) -> Mapping[str, Mapping[str, str]]:
    """The tables under each heading: for each name in the first column its row."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| `"):
            names = re.findall(r"`([\w.]+)`", line.split("|")[1])
            found.setdefault(heading, {}).update(dict.fromkeys(names, line))
    return found


def tables(page: Path) -> Mapping[str, set[str]]:
    """The names in the first column of the tables under each heading."""
    return {heading: set(names) for heading, names in rows(page).items()}
