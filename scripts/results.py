#!/usr/bin/env python
"""Runs the commands behind the figures that README and docs claim, and compares.

    python scripts/results.py [--data FOLDER] [--only WORD]

configs/results.yaml names each figure, its command, the value and the tolerance. `{data}` in a command is
FOLDER, which holds public sets in BEIR form; without it, or where a set is missing from it, a figure is
skipped and said to be. Prints OK or the difference for each; ends with 1 where one does not hold.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
import yaml
from pydantic import BaseModel, NonNegativeFloat

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "configs" / "results.yaml"
RAG = [sys.executable, "-c", "from rag.cli.app import main; main()"]


class Claim(BaseModel, frozen=True, extra="forbid"):
    """`figure`: where it stands in the JSON that the command prints. `published`: somebody else's figure
    for the same, for the record."""

    claim: str
    command: str
    figure: str
    expected: float
    tolerance: NonNegativeFloat
    published: float | None = None

    @property
    def dataset(self) -> str | None:
        """The public set that it needs."""
        found = [part for part in shlex.split(self.command) if part.startswith("{data}/")]
        return found[0].removeprefix("{data}/") if found else None


def main(data: Path | None = None, only: str = "") -> None:
    held = [report(claim, data) for claim in read(RESULTS) if only in claim.claim]
    print(f"{held.count('OK')} OK, {held.count('DIFF')} differ, {held.count('SKIP')} skipped")
    sys.exit("DIFF" in held)


def read(path: Path) -> list[Claim]:
    return [Claim(**entry) for entry in yaml.safe_load(path.read_text("utf-8"))]


def report(claim: Claim, data: Path | None) -> str:
    word, told = judge(claim, data)
    print(f"{word:<4} {claim.claim}: {told}", flush=True)
    return word


def judge(claim: Claim, data: Path | None) -> tuple[str, str]:
    if claim.dataset and (data is None or not (data / claim.dataset).is_dir()):
        return "SKIP", f"needs {claim.dataset} in --data"
    found = figure(_run(claim.command.replace("{data}", shlex.quote(str(data)))), claim.figure.split("."))
    difference = found - claim.expected
    # Rounded as it is claimed: .0050000001 is not beyond .005.
    word = "OK" if round(abs(difference), 6) <= claim.tolerance else "DIFF"
    return word, f"{found:.4f}, claimed {claim.expected:g} ± {claim.tolerance:g} ({difference:+.4f})"


def figure(document: Any, path: Sequence[str]) -> float:
    for key in path:
        document = document[int(key) if isinstance(document, list) else key]
    return float(document)


@cache
def _run(command: str) -> Any:
    """Once for all figures that it gives. rag's exit code 1 comes with an error document."""
    with TemporaryDirectory() as fresh:
        arguments = _arguments(command, fresh)
        done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return json.loads(done.stdout)


def _arguments(command: str, fresh: str) -> list[str]:
    """An evaluation goes into a folder of its own: where it lay before, it would take its answers over."""
    program, *arguments = shlex.split(command)
    out = ["--out", fresh] if arguments[:1] == ["eval"] else []
    return [*(RAG if program == "rag" else [program]), *arguments, *out]


if __name__ == "__main__":
    typer.run(main)
