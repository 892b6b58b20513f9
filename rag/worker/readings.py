"""What an ingest meets, file by file: its new and changed documents, and what there is to say of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.index.catalog import Catalog
from rag.index.field_names import FieldNames
from rag.index.rows import Entry, FileRecord
from rag.loaders import LOADER_VERSION, LoaderSettings, Unreadable, read_file
from rag.protocols import Chunker
from rag.types import Chunk, Skipped
from rag.worker.cutter import Cutter
from rag.worker.cutting import Cut, Kept, Task


@dataclass(frozen=True, slots=True)
class New:
    """A new or changed document, cut into passages."""

    entry: Entry
    is_new: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What there is to say of a file once all its documents are known; no record where it stays as it was."""

    file: str
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()
    gone: tuple[str, ...] = ()
    record: FileRecord | None = None


class Readings:
    """`key`: under which a passage's embedding is kept. `roots`: where files may be."""

    def __init__(
        self,
        catalog: Catalog,
        loaders: LoaderSettings,
        chunker: Chunker,
        key: Callable[[Chunk], bytes],
        roots: Sequence[Path],
    ) -> None:
        self._catalog = catalog
        self._loaders = loaders
        self._cut = chunker.fingerprint
        self._key = key
        self._roots = roots
        self._cutter = Cutter(loaders, chunker)
        self._names = FieldNames(catalog)
        self._known = catalog.files()
        self._otherwise = catalog.files_cut_otherwise(self._cut)

    def of(self, files: Sequence[tuple[Path, str]]) -> Iterator[New | Read]:
        """Of each file, with its name in the index: its new and changed documents, then the file itself."""
        with self._cutter.at_work():
            for path, file in files:
                yield from self._of(path, file)

    def _of(self, path: Path, file: str) -> Iterator[New | Read]:
        try:
            data = read_file(path, self._loaders.max_bytes, self._roots)
        except Unreadable as error:
            yield Read(file, skipped=(Skipped(file, str(error)),))
            return
        hashes = Hashes.of(data, self._loaders)
        if file not in self._otherwise and (record := self._known.get(file)) and record.hash in hashes:
            yield Read(file, unchanged=record.documents, skipped=record.skipped)
        else:
            yield from self._compared(path, file, data, hashes)

    def _compared(self, path: Path, file: str, data: bytes, hashes: Hashes) -> Iterator[New | Read]:
        """Which documents of a file are new, changed, unchanged or gone."""
        there = self._catalog.hashes(file)
        before = there | dict.fromkeys(self._catalog.cut_otherwise(file, self._cut), "")
        seen: set[str] = set()
        skipped: list[Skipped] = []
        unchanged = 0
        for item in self._cutter.cut(Task(path, file, data, before)):
            if isinstance(item, Skipped):
                skipped.append(item)
            elif isinstance(item, Kept):
                seen.add(item.id)
                unchanged += 1
            else:
                seen.add(item.document.id)
                entry, left_out = self._names.within(self._entry(item, file))
                skipped += left_out
                yield New(entry, is_new=item.document.id not in before)
        if there and not seen:
            yield Read(file, skipped=tuple(map(_stays, skipped)))
            return
        yield Read(
            file,
            unchanged=unchanged,
            skipped=tuple(skipped),
            gone=tuple(before.keys() - seen),
            record=FileRecord(hashes.of_documents if seen else hashes.of_none, len(seen), tuple(skipped)),
        )

    def _entry(self, cut: Cut, file: str) -> Entry:
        keys = tuple(map(self._key, cut.chunks))
        return Entry(cut.document, file, cut.content, cut.chunks, keys, self._cut)


@dataclass(frozen=True, slots=True)
class Hashes:
    """By which a file is known again. One that gave no document may give some where more is allowed."""

    of_documents: str
    of_none: str

    @classmethod
    def of(cls, data: bytes, loaders: LoaderSettings) -> Hashes:
        plain = hashlib.sha256(LOADER_VERSION.encode() + data)
        allowed = plain.copy()
        allowed.update(loaders.budget.model_dump_json().encode())
        return cls(plain.hexdigest(), allowed.hexdigest())

    def __contains__(self, known: str) -> bool:
        return known in (self.of_documents, self.of_none)


def _stays(skipped: Skipped) -> Skipped:
    return Skipped(skipped.source, f"{skipped.reason}; its earlier version stays in the index")
