from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.servers.chroma_server import free_port
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer
from support.servers.rerank_server import Break, RerankServer, Say

from rag import Settings
from rag.api import Rag
from rag.chunkers.structure import StructureSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.generators.openai import OpenAIGeneratorSettings
from rag.inspection.doctor import Check, examine
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.rerankers.voyage import VoyageSettings

PARTS = ["store", "embedder", "index", "reranker", "reader", "answer", "generator", "model"]


def examined(settings: Settings, deep: bool = False, **sections: object) -> dict[str, Check]:
    return {check.name: check for check in examine(settings.model_copy(update=sections), deep)}


def failing(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if not check.ok}


def test_all_is_well_with_the_handbook(handbook_settings: Settings) -> None:
    checks = examined(handbook_settings)
    assert list(checks) == PARTS
    assert failing(checks) == set()
    assert "56 documents" in checks["store"].detail
    assert "384 dimensions, reads 256 tokens" in checks["embedder"].detail
    assert "settings and index agree" in checks["index"].detail
    assert "of those with one 10% are unsure" in checks["answer"].detail


def test_an_index_yet_to_be_made_is_no_problem(tmp_path: Path) -> None:
    assert failing(examined(Settings(store={"path": tmp_path / "new"}))) == set()  # type: ignore[arg-type]  # pydantic validates


def test_a_missing_key_is_named(handbook_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_GENERATOR__KIND", "openai")
    monkeypatch.setenv("RAG_RERANKER__KIND", "cohere")
    monkeypatch.setenv("RAG_STORE__PATH", str(handbook_settings.store.path))
    checks = examined(Settings.load())
    assert failing(checks) == {"reranker", "generator"}
    assert "OPENAI_API_KEY" in checks["generator"].detail
    assert "CO_API_KEY" in checks["reranker"].detail


def test_settings_that_do_not_fit_the_index_are_told_with_the_remedy(handbook_settings: Settings) -> None:
    checks = examined(handbook_settings, chunker=StructureSettings(tokens=100))
    assert failing(checks) == {"index", "reranker"}
    assert "was built with other settings" in checks["index"].detail
    assert "`rag rebuild --embed`" in checks["index"].detail


def test_models_that_cannot_be_loaded_are_named(handbook_settings: Settings) -> None:
    checks = examined(handbook_settings, embedder=SentenceTransformersSettings(model="no/such-model"))
    assert "embedder" in failing(checks)
    assert "'no/such-model'" in checks["embedder"].detail


def test_a_calibration_that_cannot_be_read_is_named(handbook_settings: Settings) -> None:
    checks = examined(handbook_settings, reranker=LateInteractionSettings(calibration=Path("absent.yaml")))
    assert failing(checks) == {"reranker"}
    assert "absent.yaml" in checks["reranker"].detail


def test_a_store_that_cannot_be_written_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    checks = examined(Settings(store={"path": tmp_path / "file" / "index"}))  # type: ignore[arg-type]  # pydantic validates
    assert {"store", "index"} <= failing(checks)
    assert checks["embedder"].ok


@pytest.mark.parametrize(("lost", "part"), [("chroma", "Chroma 0,"), ("vectors", "rows 0,")])
def test_an_index_that_has_lost_a_folder_is_told_with_the_remedy(
    handbook_settings: Settings, tmp_path: Path, lost: str, part: str
) -> None:
    copy = tmp_path / "index"
    shutil.copytree(handbook_settings.store.path, copy)
    shutil.rmtree(copy / lost)
    checks = examined(handbook_settings, store=handbook_settings.store.model_copy(update={"path": copy}))
    assert "index" in failing(checks)
    assert part in checks["index"].detail
    assert "the next `rag ingest` repairs it, `rag rebuild` does" in checks["index"].detail


def test_files_that_are_not_as_they_were_written_are_told_of_where_all_is_read(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    copy = tmp_path / "index"
    shutil.copytree(handbook_settings.store.path, copy)
    with (copy / "chroma" / "chroma.sqlite3").open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"damaged")
    store = handbook_settings.store.model_copy(update={"path": copy})
    checks = examined(handbook_settings, deep=True, store=store)
    assert failing(checks) == {"passages"}  # answers do not need it; other clients of Chroma's do
    assert "chroma.sqlite3 is not as it was written. `rag rebuild`" in checks["passages"].detail


def test_the_status_counts_what_is_there(handbook_settings: Settings) -> None:
    rag = Rag(handbook_settings)
    status = rag.status()
    assert (status.documents, len(rag.documents())) == (56, 56)
    assert status.chunks > 100
    assert status.bytes > status.text_bytes > 100_000
    assert str(status.fingerprint).startswith("sentence-transformers/all-MiniLM-L6-v2@53aa51172d142c89 384d")


def test_the_status_of_an_empty_index_is_zero(tmp_path: Path) -> None:
    rag = Rag(Settings(store={"path": tmp_path / "new"}))  # type: ignore[arg-type]  # pydantic validates
    rag.name_sources_from(tmp_path)
    status = rag.status()
    assert (status.documents, status.chunks, status.fingerprint) == (0, 0, None)


# --- servers ----------------------------------------------------------------------------------------


def hosted(url: str, **reranker: Any) -> dict[str, object]:
    """A reranker and a generator there, whose keys are known."""
    given = {"base_url": f"{url}/voyage/v1", "api_key": SecretStr(KEY), "timeout_s": 5.0}
    return {
        "reranker": VoyageSettings.model_validate({"kind": "voyage", **given, **reranker}),
        "generator": OpenAIGeneratorSettings.model_validate(
            {"kind": "openai", **given, "base_url": f"{url}/v1"}
        ),
    }


def servers(settings: Settings, **sections: object) -> dict[str, Check]:
    checks = [c for c in examine(settings.model_copy(update=sections)) if c.name == "server"]
    return {check.detail.partition(":")[0]: check for check in checks}


def test_a_server_is_asked_and_says_how_quickly(
    handbook_settings: Settings, rerank_server: RerankServer, openai_server: OpenAIServer
) -> None:
    there = hosted(rerank_server.url) | {"generator": hosted(openai_server.url)["generator"]}
    checks = servers(handbook_settings, **there)
    assert {place: check.ok for place, check in checks.items()} == {"reranker": True, "generator": True}
    assert "answered in" in checks["generator"].detail
    assert (len(rerank_server.calls), len(openai_server.requests)) == (1, 1)


def test_a_server_that_is_not_there_is_not_ready(handbook_settings: Settings) -> None:
    checks = servers(handbook_settings, **hosted(f"http://127.0.0.1:{free_port()}"))
    assert {place: check.ok for place, check in checks.items()} == {"reranker": False, "generator": False}
    assert all("cannot be reached" in check.detail for check in checks.values())


def test_one_that_hangs_is_waited_for_once_and_one_that_echoes_the_key_shows_none(
    handbook_settings: Settings, rerank_server: RerankServer
) -> None:
    rerank_server.always = Break("hang")
    asked = hosted(rerank_server.url, timeout_s=0.3)
    del asked["generator"]
    assert "did not answer in time" in servers(handbook_settings, **asked)["reranker"].detail
    assert len(rerank_server.calls) == 1
    rerank_server.always = Say(401, {"detail": f"no such key: {KEY}"})
    check = servers(handbook_settings, **asked)["reranker"]
    assert not check.ok
    assert "no such key: [key]" in check.detail
