"""What a user names is read if it is a file of sensible size; all else is an error at once that names it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Run

from rag.errors import ConfigError, RagError
from rag.evaluation.dataset import Dataset
from rag.feedback import read_feedback
from rag.files.given import read_given, read_yaml
from rag.runs.questions import read_questions
from rag.second_stage.fitted import read_calibrations
from rag.settings import Settings

READERS: dict[str, Callable[[Path], object]] = {
    "config": Settings.load,
    "reranker.calibration": read_calibrations,
    "run.questions": read_questions,
    "the dataset": lambda path: Dataset.load(path),
    "feedback": read_feedback,
}
# What no file is: how it is made, and what it is called.
STRANGE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
}


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("named", READERS)
def test_what_is_no_file_is_refused(tmp_path: Path, named: str, strange: str) -> None:
    path = tmp_path / "it.jsonl"
    STRANGE[strange](path)
    if named == "the dataset" and strange == "a folder":
        pytest.skip("a dataset may be one")
    with pytest.raises(ConfigError, match=rf"{named} {path} cannot be read: it is {strange}, not a file"):
        READERS[named](path)


@pytest.mark.parametrize("named", ["config", "reranker.calibration"])  # the others may be larger, and slower
def test_two_gigabytes_are_not_read(tmp_path: Path, named: str) -> None:
    path = tmp_path / "it.jsonl"
    with path.open("wb") as stream:
        stream.truncate(2_000_000_000)  # no byte of it is on the disk
    with pytest.raises(ConfigError, match=rf"{named} {path} cannot be read: it has more than 256,000 bytes"):
        READERS[named](path)


def test_the_limit_is_the_readers(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_given(path, "it", 5) == b"12345"
    with pytest.raises(ConfigError, match="more than 4 bytes"):
        read_given(path, "it", 4)


@pytest.mark.parametrize("named", READERS)
@pytest.mark.parametrize("content", [bytes(range(256)), b"\xff\xfe\x00", b"\x00" * 1000, b"PK\x03\x04" * 50])
def test_binary_is_refused(tmp_path: Path, named: str, content: bytes) -> None:
    path = tmp_path / "it.jsonl"
    path.write_bytes(content)
    if named == "feedback":  # a line that cannot be read is named and left out
        assert read_feedback(path) == []
        return
    with pytest.raises(RagError, match=r"it\.jsonl"):
        READERS[named](path)


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
YAML = {
    "aliases of aliases": (BOMB, "by its aliases"),
    "merges of merges": (MERGES, "by its aliases"),
    "a list in itself": ("reranker: &a [*a]", "nested too deeply"),
    "deep lists": ("[" * 10_000, "nested too deeply"),
    "deep maps": ("{a: " * 2_000 + "1" + "}" * 2_000, "nested too deeply"),
    "a deep block": ("".join("  " * n + "a:\n" for n in range(300)), "nested too deeply"),
    "a number of 10,000 digits": ("reranker: " + "1" * 10_000, "not YAML"),
    "a date that is none": ("reranker: 2024-99-99", "not YAML"),
    "python's own": ("reranker: !!python/object/apply:os.system [true]", "not YAML"),
    "two documents": ("a: 1\n---\nb: 2", "not YAML"),
    "a tab": ("\tx: 1", "not YAML"),
}


@pytest.mark.parametrize("fault", YAML)
def test_yaml_that_is_more_than_it_looks_is_refused(tmp_path: Path, fault: str) -> None:
    text, said = YAML[fault]
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for read, named in ((Settings.load, "config"), (read_calibrations, "reranker.calibration")):
        with pytest.raises(ConfigError, match=said) as caught:
            read(path)
        assert f"{named} {path}" in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_an_alias_that_stands_for_little_is_welcome(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]")
    assert read_yaml(path, "config")["b"] == {"x": 1, "y": 3}


def test_the_command_line_says_it_in_one_line(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for arguments in (
        ["ask", "When?", "--config", tmp_path / "pipe"],
        ["feedback", tmp_path / "pipe", "--good"],
        ["config", "--config", "/dev/zero"],
    ):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "cannot be read: it is a" in ran.err
        assert len(ran.err.splitlines()) == 1
