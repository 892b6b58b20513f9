from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.kept import kept_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    return tmp_path / "rag"


def test_a_folder_is_made_once_however_many_want_it(cache: Path) -> None:
    made: list[str] = []

    def make() -> bytes:
        made.append("weights")
        return b"1" * 1_000_000

    with ThreadPoolExecutor(8) as threads:
        found = set(
            threads.map(lambda _: kept_folder("model", {"weights": make, "card": lambda: b"c"}), range(16))
        )
    assert found == {cache / "model"}
    assert made == ["weights"]
    assert (cache / "model" / "card").read_bytes() == b"c"


def test_what_is_missing_of_it_is_made_again(cache: Path) -> None:
    files = {"weights": lambda: b"w", "card": lambda: b"c"}
    folder = kept_folder("model", files)
    (folder / "weights").unlink()
    assert (kept_folder("model", files) / "weights").read_bytes() == b"w"


def test_where_nothing_can_be_kept_it_is_made_for_this_process(cache: Path) -> None:
    cache.parent.joinpath("rag").write_text("a file where the folder would be")
    files = {"weights": lambda: b"w"}
    folder = kept_folder("model", files)
    assert (folder / "weights").read_bytes() == b"w"
    assert kept_folder("model", files) == folder
