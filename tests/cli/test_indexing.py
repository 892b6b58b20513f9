"""`rag ingest` and what brings documents out again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Run


def test_ingest_reports_what_it_did_as_json(run: Run, notes: Path) -> None:
    first = run("ingest", "notes", "--json")
    assert (first.code, first.err) == (0, "")
    assert set(first.json) == {
        "new", "changed", "unchanged", "removed", "skipped", "chunks", "embedded", "seconds",
        "furniture", "furnished",
    }  # fmt: skip
    assert (first.json["new"], first.json["embedded"], first.json["skipped"]) == (2, 2, [])
    second = run("ingest", "notes", "--json").json
    assert (second["new"], second["unchanged"], second["embedded"]) == (0, 2, 0)


def test_ingest_tells_people_what_was_skipped_and_why(run: Run, notes: Path) -> None:
    (notes / "picture[1].png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    done = run("ingest", "notes")
    assert done.code == 0
    assert "2 new, 0 changed, 0 unchanged, 0 removed, 1 skipped" in done.out
    assert "skipped notes/picture[1].png: " in done.out
    assert run("ingest", "notes", "--json").json["skipped"][0]["source"] == "notes/picture[1].png"


def test_the_index_lives_in_the_working_folder_unless_told_otherwise(
    run: Run, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", "notes")
    assert (tmp_path / ".rag" / "catalog.sqlite").exists()
    monkeypatch.setenv("RAG_STORE__PATH", str(tmp_path / "elsewhere"))
    assert "there is no index in " in run("status").err
    assert run("ingest", "notes", "--json").json["new"] == 2
    assert (tmp_path / "elsewhere" / "catalog.sqlite").exists()


def test_prune_removes_what_vanished(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    (notes / "soup.md").unlink()
    assert run("ingest", "notes", "--json").json["removed"] == 0
    assert run("ingest", "notes", "--prune", "--json").json["removed"] == 1


@pytest.mark.parametrize("name", ["", " ", ".", "./", "notes"])
def test_a_name_that_means_every_document_removes_none_of_them(run: Run, notes: Path, name: str) -> None:
    run("ingest", "notes")
    done = run("remove", name)
    assert (done.code, "--all" in done.err) == (1, True)
    assert run("status", "--json").json["documents"] == 2
    assert run("remove", "--all", "--dry-run").out == (
        "would remove notes/fuses.md\nwould remove notes/soup.md\n"
    )
    assert run("status", "--json").json["documents"] == 2
    assert len(run("remove", "--all", "--json").json["removed"]) == 2
    assert run("status", "--json").json["documents"] == 0


def test_more_than_a_tenth_of_an_index_does_not_go_in_silence(run: Run, notes: Path) -> None:
    for number in range(10):
        (notes / f"{number}.md").write_text(f"Note {number} is about pump {number}.")
    run("ingest", "notes")
    for number in range(3):
        (notes / f"{number}.md").unlink()
    assert "This removes 3 of 12 documents: notes/0.md" in run("ingest", "notes", "--prune").err
    assert run("remove", "notes/5.md").err == ""
    assert "This removes 2 of 8" in run("remove", "notes/6.md", "notes/7.md").err
    assert run("remove", "notes/8.md", "notes/9.md", "--yes").err == ""


def test_status_remove_and_rebuild(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    status = run("status", "--sources", "--json").json
    assert {"documents", "chunks", "bytes", "fingerprint", "path"} <= set(status)
    assert (status["documents"], status["sources"]) == (2, ["notes/fuses.md", "notes/soup.md"])
    assert run("remove", "notes/soup.md", "--json").json == {"removed": ["notes/soup.md"]}
    assert run("remove", "notes/fuses.md").out == "removed notes/fuses.md\n"
    assert run("rebuild", "--json").json == {"chunks": 0}
    assert "documents    0" in run("status").out


def test_a_filter_chooses_documents_by_their_metadata(run: Run, notes: Path) -> None:
    run("ingest", "notes")
    found = run("search", "what is where", "--where", "team=kitchen", "--json").json
    assert {p["source"] for p in found["passages"]} <= {"notes/soup.md"}
    rows = run("search", "fuse", "-w", "team=power", "-w", "team=kitchen", "--json").json["trace"][
        "candidates"
    ]
    assert {row["source"] for row in rows} == {"notes/fuses.md", "notes/soup.md"}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("team", "expected key=value"),
        ("teem=power", "did you mean 'team'"),
        ("../x=1", "is not a metadata key"),
        ("=1", "is not a metadata key"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_a_clear_error(
    run: Run, notes: Path, where: str, message: str
) -> None:
    run("ingest", "notes")
    done = run("ask", "Where is the fuse?", "--where", where, "--json")
    assert done.code == 1
    assert done.json["error"]["type"] == "InputError"
    assert message in done.json["error"]["message"]


def test_a_dry_run_tells_what_would_happen_and_makes_nothing(run: Run, notes: Path) -> None:
    told = run("ingest", "notes", "--dry-run")
    assert told.out == (
        "2 new, 0 changed, 0 unchanged, 0 removed, 0 skipped\n"
        "would write 2 chunks and encode 2; nothing was written\n"
    )
    assert not (notes.parent / ".rag").exists()
    run("ingest", "notes")
    (notes / "soup.md").unlink()
    (notes / "fuses.md").write_text("The spare fuse is kept in the blue drawer.")
    (notes / "new.md").write_text("The ladder is behind the door.")
    would = run("ingest", "notes", "--prune", "--dry-run", "--json").json
    assert (would["dry_run"], would["new"], would["changed"], would["removed"]) == (True, 1, 1, 1)
    assert run("status", "--sources", "--json").json["sources"] == ["notes/fuses.md", "notes/soup.md"]
    done = run("ingest", "notes", "--prune", "--yes", "--json").json
    same = ("new", "changed", "unchanged", "removed", "chunks", "embedded")
    assert {key: done[key] for key in same} == {key: would[key] for key in same}
