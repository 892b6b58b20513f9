"""What a config that was found may not do before it was allowed; no setting is without a class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel
from support.commands import Run
from support.places import ROOT

from rag import Settings
from rag.cli.trust import HARMLESS, LOCAL_KINDS, NEEDS, OTHER_KINDS, PATHS, anchored, wishes
from rag.config_errors import Sections


def models(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield kind
    for field in kind.model_fields.values():
        yield from _inner(field.annotation)


def _inner(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from models(annotation)
    for part in get_args(annotation):
        yield from _inner(part)


ALL = {one for section in Sections.of(Settings).models.values() for top in section for one in models(top)}


def test_every_setting_has_one_class() -> None:
    keys = {key for model in ALL for key in model.model_fields} - {"kind"}
    kinds_in_their_place = {"cascade", "fallback"}
    classes = [HARMLESS, PATHS, NEEDS.keys(), kinds_in_their_place]
    assert {key: sum(key in one for one in classes) for key in keys} == dict.fromkeys(keys, 1)
    assert set().union(*classes) <= keys, "classed, and no setting"


def test_every_kind_has_one_class() -> None:
    kinds = {
        kind
        for model in ALL
        if "kind" in model.model_fields
        for kind in get_args(model.model_fields["kind"].annotation)
    }
    assert {kind: (kind in LOCAL_KINDS) + (kind in OTHER_KINDS) for kind in kinds} == dict.fromkeys(kinds, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("generator: {kind: openai}", "generator.kind: openai sends text to a service"),
        ("policy: {fallback: [none, cohere]}", "policy.fallback: cohere sends text"),
        ("policy: {cascade: [{kind: cross-encoder}]}", "policy.cascade.kind: cross-encoder loads"),
        ("embedder: {model: ./evil}", "embedder.model: ./evil loads"),
        ("store: {path: ../other}", "store.path: ../other reaches outside"),
        ("store: {path: /srv/index}", "reaches outside"),
        ("store: {path: ~/index}", "reaches outside"),
        ("run: {sources: [docs, /etc]}", "run.sources: /etc reaches outside"),
        ("loader: {follow_links: true}", "reads what lies outside"),
        ("reranker: {base_url: 'http://x'}", "says where text is sent"),
        ("generator: {spell: 1}", "is not known to be harmless"),
        ("generator: openai", "is no section"),
    ],
)
def test_what_reaches_out_has_to_be_allowed(tmp_path: Path, text: str, reason: str) -> None:
    (wish,) = wishes(yaml.safe_load(text), tmp_path)
    assert reason in wish


def test_a_link_that_leads_out_is_outside(tmp_path: Path) -> None:
    home = tmp_path / "project"
    home.mkdir()
    (home / "link").symlink_to(tmp_path)
    assert list(wishes({"store": {"path": "link/index"}}, home))


def test_the_defaults_need_no_allowance_but_for_the_models_that_they_name() -> None:
    default = yaml.safe_load((ROOT / "configs" / "default.yaml").read_text())
    assert all("model" in wish for wish in wishes(default, ROOT))


def test_paths_are_meant_from_the_folder_of_the_config(tmp_path: Path) -> None:
    given = {"run": {"sources": ["docs", "/srv"]}, "reranker": {"top_k": 3}}
    assert anchored(given, tmp_path) == {
        "run": {"sources": [str(tmp_path / "docs"), "/srv"]},
        "reranker": {"top_k": 3},
        "store": {"path": str(tmp_path / ".rag")},
    }


# --- as a user meets it ----------------------------------------------------------------------


def test_a_config_is_found_in_the_folder_or_above_and_named(
    run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("init").out == "wrote rag.yaml; next: rag ingest FOLDER\n"
    told = run("ingest", "notes", "--no-progress")
    assert (told.code, told.err) == (0, "settings: rag.yaml\n")
    monkeypatch.chdir(notes)
    status = run("status")
    assert (status.code, status.err) == (0, "settings: ../rag.yaml\n")
    assert "documents    2" in status.out
    assert run("status", "--json").err == "", "for machines"
    shown = run("config", "--json").json
    assert shown["store.path"] == {
        "value": str(notes.parent / ".rag"),
        "from": str(notes.parent / "rag.yaml"),
    }
    assert list(notes.glob(".rag")) == []


def test_init_writes_over_nothing_and_what_it_writes_can_be_used(run: Run, notes: Path) -> None:
    run("init")
    file = notes.parent / "rag.yaml"
    text = file.read_text()
    assert "there is a rag.yaml in this folder already" in run("init").err
    assert file.read_text() == text
    Settings.load(file)
    settings = [line for line in text.splitlines() if not re.match(r"# \S", line)]
    file.write_text("\n".join(line.removeprefix("#") for line in settings))
    assert Settings.load(file).generator.kind == "openai", "the lines that are commented out are right too"


def test_a_config_that_reaches_out_does_nothing_until_it_is_allowed_and_again_after_a_change(
    run: Run, notes: Path
) -> None:
    file = notes.parent / "rag.yaml"
    file.write_text("store: {path: ../elsewhere}\n")
    refused = run("ingest", "notes")
    assert refused.code == 1
    assert "store.path: ../elsewhere reaches outside its folder" in refused.err
    assert "`rag allow`" in refused.err
    assert not (notes.parent.parent / "elsewhere").exists()
    assert "is no index" in run("status", "--config", file).err, "named is allowed"
    allowed = run("allow")
    assert allowed.out.splitlines() == [
        "allowed rag.yaml, until it is changed:",
        "  store.path: ../elsewhere reaches outside its folder",
    ]
    assert "is no index" in run("status").err
    file.write_text("store: {path: ../elsewhere2}\n")
    assert "has not been allowed" in run("status").err


def test_allow_without_a_config_says_how_to_get_one(run: Run, notes: Path) -> None:
    assert "`rag init` writes one" in run("allow").err
