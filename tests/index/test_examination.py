"""`rag doctor --deep`: never well where something is damaged, and the command that it names mends it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.shelf import Opened, Shelf

from rag.errors import StoreError
from rag.index.backup import back_up, restore
from rag.index.examination import examine_catalog, examine_derived

TEXT = "\n\n".join(f"The {word} stands in the {word} house." for word in ("lens", "lamp", "gear", "dish"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("made"))
    for name in ("a", "b"):
        shelf.write(f"docs/{name}.txt", TEXT.replace("house", f"house of {name}"))
    shelf.ingest()
    back_up(shelf.open().index.catalog, shelf.root / "none", shelf.root / "kept.zip")
    return shelf


@pytest.fixture
def shelf(made: Shelf, tmp_path: Path) -> Shelf:
    shutil.copytree(made.root, tmp_path, dirs_exist_ok=True)
    return Shelf(tmp_path)


def problem(opened: Opened) -> str:
    return examine_catalog(opened.index.catalog).problem or examine_derived(opened.index).problem


def mend(shelf: Shelf, told: str) -> None:
    command = re.findall(r"`rag ([^`]+)`", told)[0]
    if command.startswith("restore"):
        restore(shelf.root / "kept.zip", shelf.folder, shelf.root / "none", replace=True)
        shelf.open().rebuild()
    else:
        shelf.open().rebuild(embed="--embed" in command)


def sql(statement: str) -> Callable[[Shelf], None]:
    def damage(shelf: Shelf) -> None:
        with shelf.sql() as db:
            db.execute(statement)
            db.commit()

    return damage


def flip(pattern: str) -> Callable[[Shelf], None]:
    """A bit in the middle of the largest of these files."""

    def damage(shelf: Shelf) -> None:
        file = max(shelf.folder.glob(pattern), key=lambda path: path.stat().st_size)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)

    return damage


def lose(pattern: str) -> Callable[[Shelf], None]:
    def damage(shelf: Shelf) -> None:
        for path in shelf.folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


DAMAGE = {
    "a passage": (sql("UPDATE chunks SET text = 'Fjrst' WHERE ordinal = 0"), "rebuild --embed"),
    "a vector": (sql("UPDATE embeddings SET vector = zeroblob(64)"), "rebuild --embed"),
    "token bits": (sql("UPDATE embeddings SET tokens = zeroblob(LENGTH(tokens))"), "rebuild --embed"),
    "a lost vector": (sql("DELETE FROM embeddings"), "rebuild --embed"),
    "a document": (sql("UPDATE documents SET text = x'00'"), "restore"),
    "a lost document": (sql("DELETE FROM documents WHERE source LIKE '%a.txt'"), "restore"),
    "Chroma's files": (flip("chroma/chroma.sqlite3"), "rebuild"),
    "a lost Chroma": (lose("chroma"), "rebuild"),
    "rows of vectors": (flip("vectors/*/rows-*"), "rebuild"),
    "words": (flip("lexical/*/*.*"), "rebuild"),
}


def test_all_is_well_with_an_index_as_it_was_made(shelf: Shelf) -> None:
    opened = shelf.open()
    assert (
        "every page and row is as it was written; 2 documents" in examine_catalog(opened.index.catalog).told
    )
    assert re.search(r"find (\d+) of \1 passages", examine_derived(opened.index).told)


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_of_and_the_command_that_is_named_mends_it(shelf: Shelf, what: str) -> None:
    expected = shelf.open().texts("lamp")
    damage, remedy = DAMAGE[what]
    damage(shelf)
    told, _ = read(shelf)
    assert f"`rag {remedy}" in told
    mend(shelf, told)
    assert problem(shelf.open()) == ""
    assert shelf.open().texts("lamp") == expected


def test_a_flipped_bit_anywhere_in_the_catalog_is_told_of_or_changes_nothing(shelf: Shelf) -> None:
    """Its pages have room that nothing uses."""
    with shelf.sql() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = shelf.folder / "catalog.sqlite"
    whole, expected = file.read_bytes(), shelf.open().texts("lamp")
    for at in range(97, len(whole), len(whole) // 25):
        file.write_bytes(bytes([*whole[:at], whole[at] ^ 16, *whole[at + 1 :]]))
        told, found = read(shelf)
        assert found == expected if not told else "`rag " in told or "another version" in told


def read(shelf: Shelf) -> tuple[str, list[str]]:
    """What there is to say of it; what a question finds where that is nothing."""
    try:
        opened = shelf.open()
        told = problem(opened)
        return told, [] if told else opened.texts("lamp")
    except StoreError as error:
        return str(error), []
