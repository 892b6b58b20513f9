"""What README and docs claim: snippets run, commands and options exist, keys and links are right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.docs import COMMANDS, tables
from support.places import ROOT

import rag.errors
from rag import RagError, Settings
from rag.config_errors import Sections
from rag.contract import error_json

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
QUESTION = "How do I reset the tracker?"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


# --- snippets and commands -----------------------------------------------------------------


def test_the_python_snippets_run(
    handbook_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RAG_STORE__PATH", str(handbook_settings.store.path))
    snippets = blocks(README, "python")
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})
    assert "resetting-the-tracker.md" in capsys.readouterr().out


def test_the_config_snippets_load(tmp_path: Path) -> None:
    for page in PAGES:
        for snippet in blocks(page, "yaml"):
            (tmp_path / "snippet.yaml").write_text(snippet)
            Settings.load(tmp_path / "snippet.yaml")


def documented_commands() -> Iterator[str]:
    for page in PAGES:
        lines = re.findall(r"^(?:\$ )?(rag \w.*)$", page.read_text(), re.MULTILINE)
        for line in [*lines, *re.findall(r"`(rag [a-z]+[^`]*)`", page.read_text())]:
            yield from re.split(r" \| (?=rag )", line)


@pytest.mark.parametrize("line", sorted(set(documented_commands())))
def test_a_documented_command_exists_with_its_options(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in COMMANDS
    options = {option for p in COMMANDS[name].params for option in (*p.opts, *p.secondary_opts)}
    assert {argument for argument in arguments if re.match("-.", argument)} <= options


def test_every_command_is_in_the_readme() -> None:
    documented = {line.split()[1] for line in documented_commands()}
    assert set(COMMANDS) <= documented


def test_the_scripts_that_are_named_are_there() -> None:
    for page in PAGES:
        for name in re.findall(r"\bscripts/[\w.]+", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_scripts_can_be_run() -> None:
    for name in ("scripts/demo", "scripts/test", ".ci/run"):
        assert (ROOT / name).stat().st_mode & 0o111, f"{name} is not executable"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


# --- the contract --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documented() -> Mapping[str, set[str]]:
    return tables(ROOT / "docs" / "json.md")


def test_every_error_is_documented(documented: Mapping[str, set[str]]) -> None:
    kinds = {
        name
        for name, kind in vars(rag.errors).items()
        if isinstance(kind, type) and issubclass(kind, RagError) and kind is not RagError
    }
    assert documented["error"] == kinds | error_json(RagError()).keys()


def test_every_setting_of_every_kind_is_documented() -> None:
    in_default = set(
        re.findall(r"^  #?(\w+):", (ROOT / "configs" / "default.yaml").read_text(), re.MULTILINE)
    )
    documented = tables(ROOT / "docs" / "config.md")
    for section in Settings.model_fields:
        for model in Sections.of(Settings).models[section]:
            kind = model.model_fields.get("kind")
            if kind is None or not kind.is_required():
                assert model.model_fields.keys() <= in_default
            else:
                name = f"{section}: {kind.annotation.__args__[0]}"  # type: ignore[union-attr]  # a Literal
                assert documented.get(name, set()) == model.model_fields.keys() - {"kind"}
