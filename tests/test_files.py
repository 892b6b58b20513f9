"""Files are written whole or not at all, and a folder has one writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import LockedError
from rag.files.lock import alone
from rag.files.whole import whole, write_whole
from rag.models.compiled import folder


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    write_whole(path, b"before")
    with pytest.raises(UnicodeEncodeError), whole(path) as fresh:
        fresh.write_text("half \ud800", "utf-8")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl.tmp").write_bytes(b"half")
    write_whole(tmp_path / "answers.jsonl", b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    def write() -> None:
        with alone(tmp_path / "a.lock", "somebody writes", "--out"):
            pass

    with alone(tmp_path / "a.lock", "we write", "--out"), pytest.raises(LockedError, match="somebody writes"):
        write()
    write()


def test_compiled_models_are_kept_where_the_system_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "rag"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert folder() == Path("~/.cache/rag").expanduser()
