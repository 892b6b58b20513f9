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


def tables(page: Path) -> Mapping[str, set[str]]:
    """The names in the first column of the tables under each heading."""
    found: dict[str, set[str]] = {}
    heading = ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| `"):
            found.setdefault(heading, set()).update(re.findall(r"`([\w.]+)`", line.split("|")[1]))
    return found
