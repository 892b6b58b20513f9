"""The configs that are shipped load, and the commented default says what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.places import CONFIGS, ROOT

from rag import Settings
from rag.settings import public

DEFAULT = ROOT / "configs" / "default.yaml"
COMMENTED_OUT = re.compile(r"^  #(?=\w+:)", re.MULTILINE)


def test_the_promised_configs_are_there() -> None:
    names = {path.stem for path in CONFIGS}
    assert names >= {"default", "handbook", "openai", "huggingface", "offline", "resilient"}
    assert names >= {"cohere", "voyage", "jina", "together", "server", "llm", "knowledgesdk"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_loads_without_network_or_keys(path: Path) -> None:
    Settings.load(path)


def test_the_default_config_changes_nothing() -> None:
    assert public(Settings.load(DEFAULT)) == public(Settings.load())


def test_the_default_config_lists_every_setting_that_has_a_default() -> None:
    defaults = public(Settings.load())
    written = yaml.safe_load(DEFAULT.read_text())
    assert {section: set(keys) for section, keys in written.items()} == {
        section: {key for key, value in keys.items() if value is not None}
        for section, keys in defaults.items()
    }


def test_the_default_config_shows_every_unset_setting_with_an_example_that_is_valid(tmp_path: Path) -> None:
    uncommented = tmp_path / "all.yaml"
    uncommented.write_text(COMMENTED_OUT.sub("  ", DEFAULT.read_text()))
    written: dict[str, dict[str, Any]] = yaml.safe_load(uncommented.read_text())
    everything = public(Settings.load(uncommented))
    assert {s: set(keys) for s, keys in written.items()} == {s: set(keys) for s, keys in everything.items()}
    unset = [f"{s}.{key}" for s, keys in everything.items() for key, value in keys.items() if value is None]
    assert unset == []


def test_every_config_names_its_keys_in_the_environment_not_in_the_file() -> None:
    for path in CONFIGS:
        assert not re.search(r"^\s*#?\s*(api_key|token):", path.read_text(), re.MULTILINE), path
