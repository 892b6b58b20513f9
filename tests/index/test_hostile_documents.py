"""One file never spoils the others: whatever it says of itself, however long it takes, wherever it leads."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest
from support.misbehaving import Misbehaving
from support.shelf import NotingEmbedder, Opened, Shelf

from rag.filters import Where
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.retrievers.own_index import IndexRetriever
from rag.types import IngestReport, Question


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.write("docs/good.md", "---\ncolour: green\n---\nThe dome opens at dusk.")
    return made


def told(report: IngestReport) -> list[str]:
    return [f"{item.source}: {item.reason}" for item in report.skipped]


def found(opened: Opened, text: str, **where: str) -> list[str]:
    question = Question(text, opened.embedder.embed_question(text))
    hits = IndexRetriever(opened.index, "hybrid", 10, rrf_k=60).retrieve(question, Where.of(where))
    return [hit.chunk.source for hit in hits]


# --- what a file says of itself -------------------------------------------------------------------


KEYS = {
    "$id": "meta_id",
    "#tag": "meta_tag",
    "chroma:document": "meta_document",
    "document_id": "meta_document_id",
    "source": "meta_source",
    "\x1b[31mred": "meta_31mred",
    "two\nlines": "two lines",
    "\ud800x": "meta_x",
    "größe": "größe",
}
NO_KEYS = ("", "  ", "$", "#", "chroma:", "k" * 200, "\x00")


def test_a_key_that_no_store_would_take_is_kept_under_another_name(shelf: Shelf) -> None:
    lines = [json.dumps({"_id": str(n), "text": f"Wall {n}.", key: n}) for n, key in enumerate(KEYS)]
    shelf.write("docs/a.jsonl", "\n".join(lines))
    report = shelf.ingest()
    assert (report.new, told(report)) == (len(KEYS) + 1, [])
    held = {c.chunk.source: c.chunk.metadata for c in shelf.open().retrieve("wall")}
    assert [held[f"docs/a.jsonl#{n}"][kept] for n, kept in enumerate(KEYS.values())] == [*range(len(KEYS))]


def test_a_key_that_cannot_be_kept_is_left_out_with_a_line(shelf: Shelf) -> None:
    lines = [json.dumps({"text": "A wall.", "colour": "red", key: 1}) for key in NO_KEYS]
    shelf.write("docs/a.jsonl", "\n".join(lines))
    report = shelf.ingest()
    assert report.new == len(NO_KEYS) + 1
    assert [line.split(" ")[:3] for line in told(report)] == [
        [f"docs/a.jsonl#{n}:", "its", "field"] for n in range(1, len(NO_KEYS) + 1)
    ]
    assert found(shelf.open(), "wall", colour="red")


def test_more_fields_than_a_document_keeps_are_counted_and_named(shelf: Shelf) -> None:
    fields = {f"key{n}": n for n in range(6_000)}
    shelf.write("docs/a.json", json.dumps({"text": "A wall.", "title": "Wall", **fields}))
    (line,) = told(shelf.ingest())
    assert line.startswith("docs/a.json: 5,901 of its fields are left out ('key99', 'key100', 'key101' …)")
    assert found(shelf.open(), "wall", key7="7", title="Wall") == ["docs/a.json"]
    assert told(shelf.ingest()) == [line]


def test_a_long_list_is_cut_and_a_long_text_left_out(shelf: Shelf) -> None:
    values = {"tags": [f"tag{n}" for n in range(10_000)], "note": "x" * 1_000_000, "n": 10**30}
    shelf.write("docs/a.json", json.dumps({"text": "A wall.", **values}))
    assert told(shelf.ingest()) == [
        "docs/a.json: of its field 'tags' 9,900 values are left out: 100 are kept",
        "docs/a.json: its field 'note' is left out: it has 1,000,000 characters, and 4,096 are kept",
    ]
    assert found(shelf.open(), "wall", tags="tag99", n=str(10**30)) == ["docs/a.json"]


def test_values_of_every_kind_come_through_or_are_told(shelf: Shelf) -> None:
    header = [
        "nan: .nan",
        "inf: .inf",
        "deep: {a: {b: [1, {c: 2}]}}",
        "bits: !!binary aGFsbG8=",
        "? [a, b]",
        ": 1",
    ]
    shelf.write("docs/a.md", "\n".join(["---", *header, "---", "A wall."]))
    shelf.write("docs/b.md", "---\n" + "x: &x [*x, *x]\n" * 3 + "---\nA gate.")
    shelf.write(
        "docs/c.json", '{"text": "A moat.", "id": 5, "half": "\\ud83d", "big": 1e400, "t": {"a": "\\u202e"}}'
    )
    assert shelf.ingest().new == 4
    opened = shelf.open()
    for word in ("wall", "gate", "moat"):
        assert opened.texts(word)


def test_an_index_learns_no_more_names_of_fields_than_its_stores_can_bear(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.field_names._MOST", 5)
    lines = [{"_id": str(n), "text": f"Wall {n}.", f"key{n}": n, "colour": "red"} for n in range(6)]
    shelf.write("docs/a.jsonl", "\n".join(map(json.dumps, lines)))
    report = shelf.ingest()
    assert report.new == 7
    names = set(shelf.open().index.catalog.metadata_keys())
    assert len(names) == 5
    assert all("of its fields are left out" in line for line in told(report))
    assert len(found(shelf.open(), "wall", colour="red")) == 6
    assert told(shelf.ingest()) == told(report)


def test_whatever_a_record_is_called_the_others_are_read(shelf: Shelf) -> None:
    ids = ("x" * 1_000_000, "a\ud800b", "\x1b]0;x\x07", "../../etc/passwd", "a\nb")
    lines = [json.dumps({"_id": id_, "text": "A wall."}) for id_ in ids]
    shelf.write("docs/a.jsonl", "\n".join([*lines, '{"text": "A gate."}']))
    report = shelf.ingest()
    assert told(report) == ["docs/a.jsonl: line 1: its name has 1,000,000 characters, and 300 are kept"]
    assert report.new == len(ids) + 1
    assert "docs/a.jsonl#../../etc/passwd" in shelf.open().sources()


# --- what it costs --------------------------------------------------------------------------------


def ingest(shelf: Shelf, **budget: float) -> IngestReport:
    opened = shelf.open(NotingEmbedder(shelf.notes), Misbehaving())
    loaders = LoaderSettings.model_validate({"budget": budget})
    ingestor = Ingestor(opened.index, loaders, opened.chunker, opened.embedder)
    with chdir(shelf.root):
        return ingestor.ingest([Path("docs")])


def test_a_file_over_its_budget_is_told_by_every_ingest_and_read_again_once_more_is_allowed(
    shelf: Shelf,
) -> None:
    shelf.write("docs/a.txt", "x" * 40)
    first, second = ingest(shelf, characters=30), ingest(shelf, characters=30)
    assert told(first) == told(second) == ["docs/a.txt: 40 characters, and loader.budget.characters is 30"]
    assert ingest(shelf, characters=50).new == 1


def test_a_file_that_fells_its_process_keeps_its_earlier_version_and_the_others_go_in(shelf: Shelf) -> None:
    shelf.write("docs/a.html", "<p>A wall.")
    assert ingest(shelf).new == 2
    shelf.write("docs/a.html", "<p>fall")
    shelf.write("docs/z.html", "<p>A gate.")
    report = ingest(shelf)
    assert (report.new, report.changed, report.removed) == (1, 0, 0)
    (line,) = told(report)
    assert "SIGSEGV" in line
    assert line.endswith("its earlier version stays in the index")
    assert sorted(shelf.open().sources()) == ["docs/a.html", "docs/good.md", "docs/z.html"]


# --- where it leads -------------------------------------------------------------------------------


def test_a_link_out_of_the_folder_is_told_and_pruned_like_a_hidden_file(shelf: Shelf, tmp_path: Path) -> None:
    shelf.write("elsewhere/secret.txt", "A secret.")
    (shelf.root / "docs" / "out").symlink_to(shelf.root / "elsewhere")
    opened = shelf.open()
    follows = Ingestor(opened.index, LoaderSettings(follow_links=True), opened.chunker, opened.embedder)
    with chdir(shelf.root):
        follows.ingest([Path("docs")])
    assert "docs/out/secret.txt" in shelf.open().sources()
    assert told(shelf.ingest()) == [
        "docs/out: a link that leads out of the folder: loader.follow_links follows it"
    ]
    assert shelf.ingest(prune=True).removed == 1
    assert shelf.open().sources() == ["docs/good.md"]
