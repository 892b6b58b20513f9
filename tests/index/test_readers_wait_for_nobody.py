"""Who asks waits for no writer, and needs no right to write."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.places import HANDBOOK, ROOT

from rag import Rag, Settings

QUESTION = "How do I reset the tracker?"
# Root may write whatever the mode says, but for this.
OBEDIENT = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []
)


@pytest.fixture
def copied(handbook_settings: Settings, tmp_path: Path) -> Settings:
    folder = tmp_path / "index"
    shutil.copytree(handbook_settings.store.path, folder)
    return Settings(store={"kind": "embedded", "path": folder})  # type: ignore[arg-type]  # pydantic validates


def rag_command(settings: Settings, *arguments: str | Path) -> list[str]:
    config = settings.store.path.parent / "rag.yaml"
    config.write_text(f"store: {{path: '{settings.store.path}'}}\n")
    main = "from rag.cli.app import main; main()"
    return [sys.executable, "-c", main, *map(str, arguments), "--config", str(config)]


@pytest.mark.slow
def test_a_writer_that_stands_still_keeps_no_reader_waiting(copied: Settings, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    for number in range(400):
        (more / f"{number}.md").write_text(f"# Shelf {number}\n\nOn shelf {number} stand {number} lenses.\n")
    writer = subprocess.Popen(
        rag_command(copied, "ingest", more, "--no-progress"), cwd=ROOT, stdout=subprocess.DEVNULL
    )
    waited = []
    try:
        while writer.poll() is None:
            writer.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            with Rag.open(copied) as reader:
                assert reader.ask(QUESTION).found
            waited.append(time.monotonic() - started)
            writer.send_signal(signal.SIGCONT)
            time.sleep(0.2)
    finally:
        writer.kill()
        writer.wait()
    assert len(waited) >= 5, "the writer was done before it was stopped"
    assert max(waited) < 5
    assert writer.returncode == 0


@pytest.mark.slow
def test_an_index_that_can_only_be_read_answers_and_says_why_it_takes_nothing(copied: Settings) -> None:
    folder = copied.store.path
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*OBEDIENT, *rag_command(copied, *arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    for command in (
        ["ask", QUESTION],
        ["search", QUESTION],
        ["why", QUESTION, "resetting-the-tracker.md"],
        ["status"],
    ):
        done = run(*command)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    refused = run("ingest", HANDBOOK)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert str(folder) in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
