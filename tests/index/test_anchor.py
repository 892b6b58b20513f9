"""A document keeps its name, whatever folder a command runs in and wherever the project is moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.index.catalog import Catalog
from rag.index.source_root import SourceRoot


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an index that was first used from its folder."""
    folder = tmp_path / "project"
    (folder / "docs" / "sub").mkdir(parents=True)
    (folder / "docs" / "a.md").touch()
    monkeypatch.chdir(folder)
    anchor(folder)
    return folder


def anchor(project: Path) -> SourceRoot:
    index = project / ".rag"
    return SourceRoot.of(index, Catalog(index / "catalog.sqlite"))


def test_a_file_has_one_name_from_every_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spellings = {
        project: ("docs/a.md", "./docs/a.md", "docs/sub/../a.md", str(project / "docs/a.md")),
        project / "docs": ("a.md", "./a.md", "sub/../a.md"),
        project.parent: ("project/docs/a.md",),
        Path("/"): (str(project / "docs/a.md"),),
    }
    for folder, paths in spellings.items():
        monkeypatch.chdir(folder)
        assert {anchor(project).source(Path(path)) for path in paths} == {"docs/a.md"}


def test_a_project_that_is_moved_keeps_its_names(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "renamed"
    moved.parent.mkdir()
    monkeypatch.chdir(tmp_path)
    shutil.move(project, moved)
    assert anchor(moved).source(moved / "docs/a.md") == "docs/a.md"
    monkeypatch.chdir(moved / "docs")
    assert anchor(moved).source(Path("a.md")) == "docs/a.md"


def test_a_file_outside_has_its_full_name(project: Path, tmp_path: Path) -> None:
    assert anchor(project).source(Path("../other.md")) == str(tmp_path / "other.md")
    assert anchor(project).source(Path("/etc/hosts")) == "/etc/hosts"
    assert anchor(project).source(Path("../project-2/a.md")) == str(tmp_path / "project-2/a.md")


def test_a_link_keeps_the_users_name_for_it(project: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "b.md").touch()
    (project / "docs" / "linked").symlink_to(tmp_path / "real")
    (project / "docs" / "c.md").symlink_to(tmp_path / "real" / "b.md")
    assert anchor(project).source(Path("docs/linked/b.md")) == "docs/linked/b.md"
    assert anchor(project).source(Path("docs/c.md")) == "docs/c.md"


def test_the_home_folder_can_be_written_with_a_tilde(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    assert anchor(project).source(Path("~/docs/a.md")) == "docs/a.md"


def test_an_index_folder_reached_through_a_link_has_the_same_anchor(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shortcut").symlink_to(project / ".rag")
    index = tmp_path / "shortcut"
    monkeypatch.chdir(tmp_path)
    found = SourceRoot.of(index, Catalog(index / "catalog.sqlite"))
    assert found.source(project / "docs/a.md") == "docs/a.md"
