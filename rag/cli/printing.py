"""JSON on stdout."""

from __future__ import annotations

import json
from typing import Any

import typer


def print_json(value: Any) -> None:
    """UTF-8 whatever the terminal speaks; what UTF-8 cannot say, such as half a name's bytes, is escaped."""
    typer.echo(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace"))
