"""A backup of an index in one file: the catalog, which all else is made from, and users' feedback."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from rag.errors import InputError, StoreError
from rag.files.whole import whole
from rag.index.catalog import CATALOG, SCHEMA_VERSION, Catalog
from rag.index.index import write_alone


@dataclass(frozen=True, slots=True)
class Backup:
    path: str
    documents: int
    chunks: int
    bytes: int


def back_up(catalog: Catalog, feedback: Path, path: Path) -> Backup:
    """Of one moment, while others may write."""
    copy = path.with_name(f"{path.name}.catalog")
    copy.unlink(missing_ok=True)
    try:
        with whole(path) as fresh, ZipFile(fresh, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            catalog.copy_to(copy)
            documents, chunks = _examined(copy)
            archive.write(copy, CATALOG)
            if feedback.exists():
                archive.write(feedback, feedback.name)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"the backup {path} cannot be written: {error}") from error
    finally:
        copy.unlink(missing_ok=True)
    return Backup(str(path), documents, chunks, path.stat().st_size)


def restore(path: Path, folder: Path, feedback: Path, replace: bool) -> None:
    """Puts the catalog of a backup in its place. What is derived from it has to be rebuilt next."""
    with write_alone(folder):
        if not replace and (held := _documents(folder / CATALOG)):
            raise InputError(
                f"the index in {folder} holds {held} documents: --replace puts the backup in their place"
            )
        try:
            with ZipFile(path) as archive, whole(folder / CATALOG) as fresh:
                with archive.open(CATALOG) as source, fresh.open("wb") as target:
                    shutil.copyfileobj(source, target)
                _examined(fresh)
                _disown(fresh, folder / CATALOG)
                _close_log(folder / CATALOG)
            with ZipFile(path) as archive:
                if feedback.name in archive.namelist():
                    with whole(feedback) as fresh:
                        fresh.write_bytes(archive.read(feedback.name))
        except (OSError, BadZipFile, KeyError) as error:
            raise InputError(f"{path} cannot be read as a backup: {error}") from error


def _examined(file: Path) -> tuple[int, int]:
    """Its documents and passages, where every page of it can be read and this version understands it."""
    try:
        with closing(sqlite3.connect(file)) as db:
            ((found,), *_) = db.execute("PRAGMA integrity_check(1)").fetchall()
            schema = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            counts = db.execute("SELECT (SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM chunks)")
            documents, chunks = counts.fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{file} is no catalog that can be read: {error}") from error
    if found != "ok" or schema != (SCHEMA_VERSION,):
        raise StoreError(f"{file} is damaged or of another version of rag: {found}, schema {schema}")
    return documents, chunks


def _documents(file: Path) -> int:
    """How many a catalog holds; none where it is not there or cannot be read."""
    if not file.exists():
        return 0
    try:
        with closing(sqlite3.connect(file)) as db:
            return int(db.execute("SELECT COUNT(*) FROM documents").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0


def _disown(fresh: Path, present: Path) -> None:
    """No derived index that lies there may pass for this catalog's: it gets a number that none has."""
    numbers = [_generation(file) for file in (fresh, present)]
    with closing(sqlite3.connect(fresh)) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (str(sum(numbers) + 1),))
        db.commit()


def _generation(file: Path) -> int:
    try:
        with closing(sqlite3.connect(file)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            return int(row[0]) if row else 1
    except (sqlite3.DatabaseError, ValueError):
        return 1


def _close_log(present: Path) -> None:
    """The log of the catalog that goes must not be taken for the new one's."""
    for suffix in ("-wal", "-shm"):
        present.with_name(present.name + suffix).unlink(missing_ok=True)
