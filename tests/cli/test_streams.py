"""Whatever a command's streams are, it ends without a traceback, and its exit code says what became of it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Run

STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")
HOSTILE = "\x1b[2J\x9b31m\u202e"
_RAG = "from rag.cli.app import program; program()"
# A command that is quick, and two that load all.
QUICK = ["config", "--json"]
SLOW = pytest.mark.slow
COMMANDS = [
    QUICK,
    pytest.param(["ask", "Where is the spare fuse?"], marks=SLOW),
    pytest.param(["ask", "Where is the spare fuse?", "--json"], marks=SLOW),
    pytest.param(["search", "fuse"], marks=SLOW),
    pytest.param(["--help"], marks=SLOW),
]


def shell(redirected: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """`rag`, its streams as the shell has set them."""
    command = ["bash", "-c", f'set -o pipefail; "$@" {redirected}', "bash", sys.executable, "-c", _RAG]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def asked(run: Run, notes: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with an index, where the command needs one."""
    if request.node.callspec.params["arguments"] != QUICK:
        run("ingest", notes)
    return notes.parent


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_is_told_of(asked: Path, arguments: list[str]) -> None:
    done = shell("> /dev/full", arguments, asked)
    assert done.returncode == 1
    assert "could not be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_has_gone_is_no_news(asked: Path, arguments: list[str]) -> None:
    done = shell("| head -c 0", arguments, asked)
    assert (done.returncode, done.stderr) in {(0, ""), (1, "")}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2> /dev/full"])
def test_a_stream_that_is_closed_keeps_no_command_from_its_work(
    asked: Path, arguments: list[str], closed: str
) -> None:
    done = shell(closed, arguments, asked)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_no_file_takes_the_place_of_a_stream_that_is_closed(notes: Path) -> None:
    """What is printed then would stand in the catalog."""
    done = shell("<&- >&- 2>&-", ["ingest", "notes"], notes.parent)
    assert done.returncode == 0
    assert shell("", ["doctor"], notes.parent).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "When?", "--top-k", HOSTILE],
        ["ask", "When?", f"--{HOSTILE}"],
        ["ask", "When?", HOSTILE],
        [HOSTILE],
        [f"--{HOSTILE}"],
        ["feedback", HOSTILE],
        pytest.param(["eval", f"a{HOSTILE}.yaml", f"b{HOSTILE}"], marks=SLOW),
        ["ask", "When?", "--config", f"{HOSTILE}[/red][link=http://x]"],
    ],
)
def test_what_was_typed_wrongly_is_quoted_harmlessly(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code in (1, 2)
    assert done.err
    assert not STEERS.search(done.out + done.err)


def test_a_usage_error_looks_as_it_always_has(run: Run) -> None:
    done = run("ask", "When?", "--top-k", "many")
    assert done.code == 2
    assert "Usage: rag ask" in done.err
    assert "'--top-k'" in done.err


def test_what_is_logged_steers_nothing(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run("config", "--json")
    handler = logging.lastResort
    assert handler is not None
    handler.handle(logging.LogRecord("rag", logging.WARNING, "", 0, f"careful {HOSTILE}", None, None))
    assert capfd.readouterr().err == "careful \\x1b[2J\\x9b31m\\u202e\n"


@pytest.mark.slow
def test_so_does_a_warning_or_a_fault_of_ours(tmp_path: Path) -> None:
    program = (
        "import warnings, typer, rag.cli.app as app\n"
        "@app.app.command()\n"
        "def fail() -> None:\n"
        f"    warnings.warn({HOSTILE!r})\n"
        f"    raise KeyError('x' + {HOSTILE!r}[:0], {HOSTILE!r}, Fault())\n"
        "class Fault:\n"
        f"    def __repr__(self) -> str: return {HOSTILE!r}\n"
        "import sys; sys.argv = ['rag', 'fail']; app.program()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 1
    assert "UserWarning: \\x1b[2J" in done.stderr
    assert "KeyError" in done.stderr
    assert not STEERS.search(done.stderr)


def test_marks_of_style_in_kept_feedback_are_text(run: Run, notes: Path) -> None:
    line = '{"time": "[/red][bold", "question": "[link=x]?", "good": true, "found": true, "passages": []}'
    (notes.parent / ".rag").mkdir()
    (notes.parent / ".rag" / "feedback.jsonl").write_text(line + "\n")
    done = run("feedback")
    assert done.code == 0
    assert "[/red][bold" in done.out
    assert "[link=x]?" in done.out
