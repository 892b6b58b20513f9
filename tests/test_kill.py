"""An ingest, a removal and a rebuild survive SIGKILL after any of their steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

HERE = Path(__file__).parent
ADDED = "embed_passages put_embeddings mark_dirty upsert add commit clear_dirty sweep"
# What each operation must have been killed after, at the least.
STEPS = {
    "ingest": f"_create identity announce get_or_create_collection __init__ set_meta {ADDED}",
    "replace": f"{ADDED} delete forget_files",
    "remove": "forget_files commit delete clear_dirty sweep",
    "rebuild": "get_or_create_collection upsert add switch delete_collection drop_all_but",
    "rebuild --embed": "embed_passages put_embeddings upsert add replace_all sweep delete_collection",
}


@pytest.fixture(scope="module")
def reports() -> dict[str, list[dict[str, Any]]]:
    """All operations killed at every step, two at a time."""
    shares = (["replace", "rebuild --embed"], ["ingest", "remove", "rebuild"])
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(killed, shares)
    return first | second


def killed(operations: list[str]) -> dict[str, list[dict[str, Any]]]:
    with TemporaryDirectory(prefix="rag-kill-") as work:
        done = subprocess.run(
            [sys.executable, str(HERE / "killing.py"), work, *operations],
            env={**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("operation", STEPS)
def test_killed_after_any_step_the_next_run_makes_the_index_whole(
    operation: str, reports: dict[str, list[dict[str, Any]]]
) -> None:
    """Same rows, same ids in Chroma and tantivy, same answers, nothing embedded twice, no mixture to read."""
    problems = {f"{step['step']} {step['name']}": step["problems"] for step in reports[operation]}
    assert {at: found for at, found in problems.items() if found} == {}
    killed_after = {step["name"].rpartition(".")[2] for step in reports[operation]}
    assert killed_after >= {*STEPS[operation].split()}
