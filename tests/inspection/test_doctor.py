from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag import Settings
from rag.api import Rag
from rag.chunkers.structure import StructureSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.inspection.doctor import Check, examine
from rag.rerankers.late_interaction import LateInteractionSettings

PARTS = ["store", "embedder", "index", "reranker", "reader", "answer", "generator", "model"]


def examined(settings: Settings, **sections: object) -> dict[str, Check]:
    return {check.name: check for check in examine(settings.model_copy(update=sections))}


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
