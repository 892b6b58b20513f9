"""`rag config`, `doctor` and `models`."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Run


def test_config_tells_every_value_and_where_it_came_from(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_RETRIEVER__TOP_N", "20")
    shown = run("config", "--config", config, "--json").json
    assert shown["reranker.top_k"] == {"value": 2, "from": str(config)}
    assert shown["retriever.top_n"] == {"value": 20, "from": "RAG_RETRIEVER__TOP_N"}
    assert shown["selection.order"] == {"value": "relevance", "from": "default"}
    table = run("config", "--config", config).out
    assert "RAG_RETRIEVER__TOP_N" in table


def test_config_shows_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__KIND", "cohere")
    monkeypatch.setenv("RAG_RERANKER__API_KEY", "sk-4711-do-not-tell")
    for done in (run("config"), run("config", "--json"), run("doctor")):
        assert "sk-4711-do-not-tell" not in done.out + done.err


def test_doctor_ends_with_0_where_all_is_well_and_with_1_where_not(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = run("doctor", "--config", config, "--json")
    assert (well.code, well.json["ok"]) == (0, True)
    monkeypatch.setenv("RAG_GENERATOR__KIND", "openai")
    ill = run("doctor", "--config", config, "--json")
    assert (ill.code, ill.json["ok"]) == (1, False)
    told = run("doctor", "--config", config)
    assert told.code == 1
    assert "FAIL generator" in told.out
    assert "OPENAI_API_KEY" in told.out


def test_models_are_named_for_people_and_machines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hosted.yaml").write_text("reranker: {kind: cohere, model: '[best]'}\n")
    told = run("models", tmp_path / "hosted.yaml", "--json")
    assert (told.code, told.err) == (0, "")
    assert [model["host"] for model in told.json["models"]] == ["", "api.cohere.com", ""]
    shown = run("models", tmp_path / "hosted.yaml").out
    assert "licence     Apache-2.0\n" in shown
    assert "[best]\n  used as     reranker (cohere)\n  at          api.cohere.com; " in shown
