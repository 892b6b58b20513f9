"""A document's way into the index, and what a second, changed or smaller ingest does and costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.fakes import WordEmbedder
from support.shelf import Shelf

from rag.errors import InputError
from rag.types import IngestReport

WORDS = ("dome", "lens", "mirror", "shutter", "motor")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def paragraphs(name: str, *words: str) -> str:
    return "\n\n".join(f"The observatory of {name} keeps a {word} in the {word} house." for word in words)


def fill(shelf: Shelf, documents: int = 3) -> None:
    for number in range(documents):
        shelf.write(f"docs/{number}.txt", paragraphs(f"place{number}", *WORDS))


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.removed


def jsonl(*lines: object) -> str:
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)


# --- again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [1, 7, 1000])
def test_unchanged_files_cost_no_embedding_and_no_chunk_whatever_the_size_of_a_group(
    shelf: Shelf, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ingest._GROUP_CHUNKS", group)
    fill(shelf)
    first = shelf.ingest()
    assert (counts(first), first.chunks, first.embedded) == ((3, 0, 0, 0), 15, 15)
    before = [shelf.rows(name) for name in ("chunks", "documents", "files", "embeddings")]
    shelf.embedded()

    second = shelf.ingest()
    assert (counts(second), second.chunks, second.embedded) == ((0, 0, 3, 0), 0, 0)
    assert shelf.embedded() == []
    assert [shelf.rows(name) for name in ("chunks", "documents", "files", "embeddings")] == before


def test_a_changed_file_embeds_only_its_changed_passages(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    shelf.embedded()
    shelf.write("docs/1.txt", paragraphs("place1", *WORDS).replace("lens", "prism"))
    report = shelf.ingest()
    assert counts(report) == (0, 1, 2, 0)
    assert report.embedded == 1
    assert shelf.embedded() == ["The observatory of place1 keeps a prism in the prism house."]


def test_a_renamed_file_embeds_nothing_with_or_without_prune(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    shelf.embedded()
    (shelf.root / "docs/0.txt").rename(shelf.root / "docs/zero.txt")
    assert counts(shelf.ingest(prune=True)) == (1, 0, 2, 1)
    (shelf.root / "docs/1.txt").rename(shelf.root / "docs/one.txt")
    assert counts(shelf.ingest()) == (1, 0, 2, 0)
    assert shelf.embedded() == []
    assert shelf.open().sources() == ["docs/1.txt", "docs/2.txt", "docs/one.txt", "docs/zero.txt"]


def test_new_front_matter_updates_the_metadata_without_an_embedding_where_the_reading_is_the_same(
    shelf: Shelf,
) -> None:
    text = "# Dome\n\nThe dome opens at dusk.\n"
    shelf.write("docs/a.md", f"---\nyear: 2023\n---\n{text}")
    shelf.ingest()
    shelf.embedded()
    shelf.write("docs/a.md", f"---\nyear: 2024\n---\n{text}")
    assert counts(shelf.ingest()) == (0, 1, 0, 0)
    assert shelf.embedded() == []
    (candidate,) = shelf.open().retrieve("dome")
    assert candidate.chunk.metadata["year"] == 2024


def test_a_touched_file_is_unchanged(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    (shelf.root / "docs/0.txt").touch()
    assert counts(shelf.ingest()) == (0, 0, 3, 0)


def test_a_shrunk_document_leaves_nothing_behind(shelf: Shelf) -> None:
    fill(shelf, documents=1)
    shelf.ingest()
    shelf.write("docs/0.txt", paragraphs("place0", "lens"))
    shelf.ingest()
    opened = shelf.open()
    assert opened.texts("observatory") == ["The observatory of place0 keeps a lens in the lens house."]
    generation = opened.index.current()
    assert (generation.vectors.count(), generation.lexical.count()) == (1, 1)
    assert len(shelf.rows("embeddings")) == 1


# --- out again ------------------------------------------------------------------------------------


def test_what_vanished_stays_without_prune_and_goes_with_it(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    (shelf.root / "docs/0.txt").unlink()
    assert counts(shelf.ingest()) == (0, 0, 2, 0)
    assert "docs/0.txt" in shelf.open().sources()
    assert counts(shelf.ingest(prune=True)) == (0, 0, 2, 1)
    assert shelf.open().sources() == ["docs/1.txt", "docs/2.txt"]


def test_prune_removes_only_under_the_paths_given(shelf: Shelf) -> None:
    for name in ("docs/a/x.txt", "docs/a/y.txt", "docs/ab/x.txt", "docs/b/x.txt"):
        shelf.write(name, paragraphs(name, "dome"))
    shelf.ingest()
    for name in ("docs/a/x.txt", "docs/ab/x.txt", "docs/b/x.txt"):
        (shelf.root / name).unlink()
    assert shelf.ingest("docs/a", prune=True).removed == 1
    assert shelf.open().sources() == ["docs/a/y.txt", "docs/ab/x.txt", "docs/b/x.txt"]


def test_prune_of_a_folder_or_file_that_is_gone_as_a_whole_removes_it(shelf: Shelf) -> None:
    fill(shelf)
    shelf.write("other/a.txt", "A door.")
    shelf.ingest("docs", "other")
    (shelf.root / "other/a.txt").unlink()
    (shelf.root / "other").rmdir()
    (shelf.root / "docs/0.txt").unlink()
    assert shelf.ingest("other", "docs/0.txt", prune=True).removed == 2
    with pytest.raises(InputError, match="nowhere"):
        shelf.ingest("nowhere", prune=True)


def test_prune_keeps_what_is_there_and_cannot_be_read(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    shelf.write("docs/0.txt", "")
    report = shelf.ingest(prune=True)
    assert (report.removed, [s.source for s in report.skipped]) == (0, ["docs/0.txt"])
    assert "docs/0.txt" in shelf.open().sources()


def test_a_file_that_breaks_keeps_its_earlier_version_and_is_reported_each_time(shelf: Shelf) -> None:
    shelf.write("docs/a.json", json.dumps({"text": "The dome opens at dusk."}))
    shelf.ingest()
    shelf.write("docs/a.json", '{"text": ')
    for _ in range(2):
        (skipped,) = shelf.ingest().skipped
        assert skipped.source == "docs/a.json"
        assert "its earlier version stays in the index" in skipped.reason
    assert shelf.open().texts("dome") == ["The dome opens at dusk."]


def test_remove_takes_a_document_a_file_or_a_folder(shelf: Shelf) -> None:
    fill(shelf)
    shelf.write("docs/sub/a.txt", "A door.")
    shelf.write("docs/lines.jsonl", jsonl({"_id": "x", "text": "A gate."}, {"_id": "y", "text": "A wall."}))
    shelf.ingest()
    opened = shelf.open()
    assert opened.remove("docs/lines.jsonl#x") == ["docs/lines.jsonl#x"]
    assert opened.remove("docs/sub/", "docs/0.txt") == ["docs/0.txt", "docs/sub/a.txt"]
    assert opened.remove("docs/lines.jsonl") == ["docs/lines.jsonl#y"]
    assert opened.remove(str(shelf.root / "docs/1.txt")) == ["docs/1.txt"]
    assert opened.remove("docs") == ["docs/2.txt"]
    assert opened.index.current().vectors.count() == 0


def test_removing_what_is_not_there_is_refused_and_removes_nothing(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    opened = shelf.open()
    with pytest.raises(InputError, match=r"'docs/nine.txt' is not in the index: `rag status --sources`"):
        opened.remove("docs/0.txt", "docs/nine.txt")
    assert len(opened.sources()) == 3


def test_a_removed_file_is_new_again_at_the_next_ingest(shelf: Shelf) -> None:
    fill(shelf)
    shelf.ingest()
    shelf.open().remove("docs/0.txt")
    assert counts(shelf.ingest()) == (1, 0, 2, 0)


def test_after_a_removal_the_embeddings_of_the_text_are_gone_unless_another_document_has_it(
    shelf: Shelf,
) -> None:
    shelf.write("docs/a.txt", paragraphs("here", "dome", "lens"))
    shelf.write("docs/b.txt", paragraphs("here", "lens", "mirror"))
    shelf.ingest()
    opened = shelf.open()
    assert len(shelf.rows("embeddings")) == 3
    opened.remove("docs/a.txt")
    used = {row[9] for row in shelf.rows("chunks")}
    assert {row[0] for row in shelf.rows("embeddings")} == used
    assert len(used) == 2
    opened.remove("docs/b.txt")
    assert shelf.rows("embeddings") == shelf.rows("freed") == []


def test_an_embedding_that_no_passage_came_of_is_dropped_when_the_next_ingest_is_through(
    shelf: Shelf,
) -> None:
    """Encoded by an ingest that died; the text was changed before the next one."""
    fill(shelf, documents=1)
    embedder = WordEmbedder(dimension=16)
    shelf.open().index.catalog.put_embeddings([b"0" * 16], embedder.embed_passages(["A secret."]))
    shelf.write("other/a.txt", "A door.")
    shelf.ingest("other")
    assert len(shelf.rows("embeddings")) == 1


def test_two_documents_with_the_same_text_share_one_embedding(shelf: Shelf) -> None:
    for name in ("a", "b"):
        shelf.write(f"docs/{name}.txt", "The dome opens at dusk.")
    report = shelf.ingest()
    assert (report.chunks, report.embedded, len(shelf.rows("embeddings"))) == (2, 1, 1)
    (found,) = shelf.open().retrieve("dome")
    assert {found.chunk.source, *found.also} == {"docs/a.txt", "docs/b.txt"}


# --- files of many documents ----------------------------------------------------------------------


def test_of_a_jsonl_only_added_and_changed_lines_are_embedded_and_missing_ones_go(shelf: Shelf) -> None:
    lines = [{"_id": name, "text": f"A {name} stands there."} for name in ("gate", "wall", "tower")]
    shelf.write("docs/a.jsonl", jsonl(*lines))
    assert counts(shelf.ingest()) == (3, 0, 0, 0)
    shelf.embedded()
    changed = [lines[0], {"_id": "tower", "text": "No tower."}, {"_id": "moat", "text": "A moat."}]
    shelf.write("docs/a.jsonl", jsonl(*changed))
    assert counts(shelf.ingest()) == (1, 1, 1, 1)
    assert sorted(shelf.embedded()) == ["A moat.", "No tower."]
    assert shelf.open().sources() == ["docs/a.jsonl#gate", "docs/a.jsonl#moat", "docs/a.jsonl#tower"]


def test_an_id_that_stands_twice_in_a_jsonl_is_reported_and_the_first_line_kept(shelf: Shelf) -> None:
    shelf.write("docs/a.jsonl", jsonl({"_id": "x", "text": "First."}, {"_id": "x", "text": "Second."}))
    (skipped,) = shelf.ingest().skipped
    assert "'x'" in skipped.reason
    assert shelf.open().texts("first second") == ["First."]


def test_skipped_lines_are_reported_again_by_an_ingest_that_finds_the_file_unchanged(shelf: Shelf) -> None:
    shelf.write("docs/a.jsonl", jsonl({"text": "A gate."}, "{broken", {"no": "text"}))
    first, second = shelf.ingest(), shelf.ingest()
    assert [s.reason for s in first.skipped] == [s.reason for s in second.skipped]
    assert len(second.skipped) == 2
    assert (second.unchanged, second.embedded) == (1, 0)


@pytest.mark.parametrize("group", [1, 1000])
def test_a_file_named_like_a_line_of_another_is_skipped_with_its_reason(
    shelf: Shelf, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ingest._GROUP_CHUNKS", group)
    shelf.write("docs/a.jsonl", jsonl({"text": "A gate."}))
    shelf.write("docs/a.jsonl#1", "A file.")
    for _ in range(2):
        report = shelf.ingest()
        assert [s.source for s in report.skipped] == ["docs/a.jsonl#1"]
    assert shelf.open().texts("a gate file") == ["A gate."]


def test_more_passages_than_chroma_takes_at_once_go_in(tmp_path: Path) -> None:
    """Chroma's own limit is some thousands; the batches here are smaller still."""
    shelf = Shelf(tmp_path, tokens=10)
    shelf.write("docs/long.txt", "\n\n".join(f"Line number {n} of the long log." for n in range(600)))
    assert shelf.ingest().chunks == 600
    opened = shelf.open()
    opened.check()
    assert opened.texts("Line number 599 of the long log.", "dense", 1) == [
        "Line number 599 of the long log."
    ]


def test_what_was_left_out_of_documents_is_counted(shelf: Shelf) -> None:
    shelf.write("docs/a.html", "<nav><ul><li>Home<li>Up</ul></nav><p>The dome opens at dusk.</p>")
    shelf.write("docs/b.html", "<p>The dome closes at dawn.</p>")
    report = shelf.ingest()
    assert (report.furniture, report.furnished) == (2, 1)
