"""An ingest, a removal and a rebuild survive SIGKILL after any of their steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support.places import ROOT, SUPPORT, TESTS

FILLED = "_add _appended _commit add"
ADDED = f"embed_passages put_embeddings mark_dirty {FILLED} commit clear_dirty sweep"
# What each operation must have been killed after, at the least.
STEPS = {
    "ingest": f"_create identity announce get_or_create_collection __init__ set_meta {ADDED}",
    "replace": f"{ADDED} delete forget_files",
    "remove": "forget_files commit delete _commit clear_dirty sweep",
    "rebuild": f"get_or_create_collection {FILLED} switch sweep delete_collection",
    "rebuild --embed": f"embed_passages put_embeddings {FILLED} replace_all sweep delete_collection",
}
SHARES = (["replace", "rebuild --embed"], ["ingest", "remove", "rebuild"])


Reports = dict[str, list[dict[str, Any]]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports() -> Reports:
    """Two processes side by side, each with its share of the operations."""
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(killed_in_turn, SHARES)
    return first | second


def killed_in_turn(operations: list[str]) -> Reports:
    with TemporaryDirectory(prefix="rag-kill-") as work:
        done = subprocess.run(
            [sys.executable, str(SUPPORT / "killing.py"), work, *operations],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report: Reports = json.loads(done.stdout)
    return report


def problems(operation: str, reports: Reports) -> dict[str, list[str]]:
    return {
        f"{step['step']} {step['name']}": step["problems"] for step in reports[operation] if step["problems"]
    }


@pytest.mark.parametrize("operation", STEPS)
def test_killed_after_any_step_the_next_run_makes_the_index_whole(operation: str, reports: Reports) -> None:
    """Same rows, same ids in Chroma and tantivy, same answers, nothing embedded twice, no mixture to read."""
    assert problems(operation, reports) == {}
    assert {step["name"] for step in reports[operation]} >= {*STEPS[operation].split()}


def test_no_step_was_left_out(reports: Reports) -> None:
    assert sum(map(len, reports.values())) > 100
