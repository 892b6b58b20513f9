from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rag.errors import ConfigError, InputError
from rag.loaders import LeadsOut, LoaderSettings, find_files
from rag.types import Skipped


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def found(*paths: Path, **settings: object) -> list[str]:
    """Names relative to the first path; what was skipped, and what leads out, is marked."""
    root = paths[0] if paths[0].is_dir() else paths[0].parent
    return [told(item, root) for item in find_files(paths, LoaderSettings.model_validate(settings))]


def told(item: Path | Skipped | LeadsOut, root: Path) -> str:
    if isinstance(item, Skipped):
        return f"skipped {Path(item.source).name}"
    if isinstance(item, LeadsOut):
        return f"out {item.path.name}"
    return item.relative_to(root).as_posix()


def test_files_come_in_sorted_order(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "c.txt")
    assert found(tmp_path) == ["a/b/c.txt", "a/z.txt", "b.txt", "c.txt"]


def test_paths_come_in_the_order_given(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt")
    assert list(find_files([tmp_path / "b.txt", tmp_path / "a.txt"], LoaderSettings())) == [
        tmp_path / "b.txt",
        tmp_path / "a.txt",
    ]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".env", ".git/config", "a/.hidden/x.txt", "a/seen.txt")
    assert found(tmp_path) == ["a/seen.txt"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    make(tmp_path, ".notes.txt")
    assert found(tmp_path / ".notes.txt") == [".notes.txt"]


def test_a_hidden_folder_that_is_named_is_taken(tmp_path: Path) -> None:
    make(tmp_path, ".config/a.txt")
    assert found(tmp_path / ".config") == ["a.txt"]


def test_excluded_folders_are_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "build/a.txt", "src/build/b.txt", "src/c.txt")
    assert found(tmp_path, exclude=("build/",)) == ["src/c.txt"]


def test_a_negation_brings_a_file_back(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "keep.log", "b.txt")
    assert found(tmp_path, exclude=("*.log", "!keep.log")) == ["b.txt", "keep.log"]


def test_a_pattern_with_a_slash_counts_from_the_root_given(tmp_path: Path) -> None:
    make(tmp_path, "drafts/a.txt", "old/drafts/b.txt")
    assert found(tmp_path, exclude=("/drafts",)) == ["old/drafts/b.txt"]


def test_a_file_that_is_named_is_taken_although_a_pattern_matches(tmp_path: Path) -> None:
    make(tmp_path, "a.log")
    assert found(tmp_path / "a.log", exclude=("*.log",)) == ["a.log"]


def test_a_pattern_that_means_nothing_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude"):
        find_files([tmp_path], LoaderSettings(exclude=("!",)))


def test_a_path_that_does_not_exist_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        find_files([tmp_path, tmp_path / "nowhere.txt"], LoaderSettings())


def test_a_link_to_a_folder_above_does_not_go_round_for_ever(tmp_path: Path) -> None:
    make(tmp_path, "a/x.txt")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ["a/x.txt"]


def test_a_link_to_itself_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "ouroboros").symlink_to(tmp_path / "ouroboros")
    assert found(tmp_path) == ["skipped ouroboros"]


def test_a_link_that_leads_nowhere_is_skipped_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "gone.txt")
    (item,) = find_files([tmp_path], LoaderSettings())
    assert isinstance(item, Skipped)
    assert item.reason == "cannot be opened: No such file or directory"


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    make(tmp_path, ".kept/x.txt", "a.txt")
    (tmp_path / "link").symlink_to(tmp_path / ".kept")
    (tmp_path / "b.txt").symlink_to(tmp_path / ".kept" / "x.txt")
    assert found(tmp_path) == ["a.txt", "b.txt"]
    (tmp_path / "b.txt").unlink()
    assert found(tmp_path) == ["a.txt", "link/x.txt"]


@pytest.mark.parametrize("target", ["elsewhere", "elsewhere/x.txt", "root/../elsewhere"])
def test_a_link_that_leads_out_of_the_folder_is_followed_only_where_it_is_allowed(
    tmp_path: Path, target: str
) -> None:
    make(tmp_path, "elsewhere/x.txt", "root/a.txt")
    (tmp_path / "root" / "link").symlink_to(tmp_path / target)
    assert found(tmp_path / "root") == ["a.txt", "out link"]
    assert found(tmp_path / "root", follow_links=True) != ["a.txt", "out link"]


def test_a_link_to_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/x.txt", "root/a.txt")
    (tmp_path / "root" / "far").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "near").symlink_to(tmp_path / "root" / "far" / "x.txt")
    assert found(tmp_path / "root") == ["a.txt", "out far", "out near"]


def test_a_link_that_is_named_is_taken_and_so_is_what_leads_from_one_named_folder_to_another(
    tmp_path: Path,
) -> None:
    make(tmp_path, "elsewhere/x.txt", "root/a.txt")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "way").symlink_to(tmp_path / "root")
    assert found(tmp_path / "way") == ["a.txt", "out link"]
    assert found(tmp_path / "root" / "link") == ["x.txt"]
    assert found(tmp_path / "root", tmp_path / "elsewhere") == ["a.txt", "link/x.txt"]


def test_one_file_under_two_names_is_found_once(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "c.txt")
    assert found(tmp_path) == ["a.txt"]


def test_a_file_named_beside_its_folder_is_found_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.txt")
    assert found(tmp_path, tmp_path / "a", tmp_path / "a" / "x.txt") == ["a/x.txt"]


def test_a_folder_that_vanishes_is_skipped_and_the_walk_goes_on(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b/x.txt", "c.txt")
    walk = find_files([tmp_path], LoaderSettings())
    next(walk)
    shutil.rmtree(tmp_path / "b")
    assert [isinstance(item, Skipped) for item in walk] == [True, False]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert found(tmp_path) == ["skipped pipe.txt"]


def test_a_file_over_the_limit_is_not_even_read(tmp_path: Path) -> None:
    make(tmp_path, "large.txt")
    (item,) = find_files([tmp_path], LoaderSettings(max_bytes=5))
    assert isinstance(item, Skipped)
    assert item.reason == "too large: 9 bytes, and max_bytes is 5"


def test_a_name_that_is_no_unicode_is_skipped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    (item,) = find_files([tmp_path], LoaderSettings())
    assert isinstance(item, Skipped)
    assert item.source.endswith("caf?.txt")
