"""A document's way into the index: find → read → cut → embed → store, and out again.

The order makes it safe to kill: embeddings into the cache, the ids noted as dirty, vectors and
words into the derived indexes, and last the catalog's row, which makes the document visible and its
former version invisible in one transaction. What was under way when a process died, the next
writer finds among the dirty ids and settles from the catalog.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.errors import InputError
from rag.index.fingerprint import fingerprint, vectors_by
from rag.index.index import Generation, Index
from rag.index.rows import Entry, FileRecord
from rag.index.source_root import SourceRoot
from rag.loaders import (
    OUTSIDE,
    Found,
    LeadsOut,
    LoaderSettings,
    find_files,
    reach,
)
from rag.protocols import Chunker, Embedder, Progress, silent
from rag.threads.prefetch import ahead
from rag.types import Chunk, Document, Floats, IngestReport, PassageVectors, Skipped
from rag.worker.readings import New, Read, Readings

_Batch = tuple[Sequence[Chunk], Sequence[Floats]]


# Documents become visible in groups: a commit for each would cost more than the work itself.
_GROUP_CHUNKS = 1000
# Embeddings are saved so many at a time, while the next are made: a kill costs three times as many at most.
_SAVE_EVERY = 256
# Documents that are read and cut while others are encoded.
_AHEAD = 64


class Ingestor:
    def __init__(
        self,
        index: Index,
        loaders: LoaderSettings,
        chunker: Chunker,
        embedder: Embedder,
        progress: Progress = silent,
    ) -> None:
        self._index = index
        self._catalog = index.catalog
        self._loaders = loaders
        self._chunker = chunker
        self._embedder = embedder
        self._progress = progress
        self._fingerprint = fingerprint(embedder.card, chunker)

    def telling(self, progress: Progress) -> Ingestor:
        """The same, for one piece of work that somebody watches."""
        watched = copy(self)
        watched._progress = progress
        return watched

    def ingest(self, paths: Sequence[Path], prune: bool = False) -> IngestReport:
        """Brings the index up to date with files and folders; what is unchanged costs a hash."""
        started = time.perf_counter()
        with self._index.writing() as generation:
            self._index.check_fingerprint(self._fingerprint)
            if self._catalog.meta("fingerprint") is None:
                self._catalog.set_meta(fingerprint=self._fingerprint)
            root = SourceRoot.of(self._index.folder, self._catalog)
            tally = _Tally()
            files, gone = self._look(paths, root, prune, tally)
            self._read_all(self._readings(files, root, paths), len(files), generation, tally)
            if prune:
                self._forget(generation, gone)
                tally.removed += len(gone)
            self._catalog.sweep(pending=True)
            if not self._catalog.files_cut_otherwise(self._chunker.fingerprint):
                self._catalog.set_meta(fingerprint=self._fingerprint)
        return tally.report(time.perf_counter() - started)

    def would_ingest(self, paths: Sequence[Path], prune: bool = False) -> IngestReport:
        """What `ingest` would do: files are read and cut, nothing is encoded or written."""
        started, tally = time.perf_counter(), _Tally()
        root = SourceRoot.of(self._index.folder, self._catalog)
        files, gone = self._look(paths, root, prune, tally)
        missing: set[bytes] = set()
        for item in self._readings(files, root, paths):
            if isinstance(item, New):
                tally.count(item)
                tally.chunks += len(item.entry.chunks)
                missing.update(self._catalog.missing(item.entry.keys))
            else:
                tally.finish(item)
        tally.removed += len(gone)
        tally.embedded = len(missing)
        return tally.report(time.perf_counter() - started)

    def remove(self, sources: Sequence[str], everything: bool = False) -> list[str]:
        """Takes documents, files or whole folders out of the index. Returns the sources removed.

        All documents go only where `everything` says so: an empty name or `.` is easily a mistake.
        """
        with self._index.writing() as generation:
            try:
                chosen = self._named(sources, everything)
                self._forget(generation, chosen)
                return sorted(chosen)
            finally:  # where nothing is left to remove, a removal may have died before it came to this
                self._catalog.sweep()

    def would_remove(self, sources: Sequence[str], everything: bool = False) -> list[str]:
        return sorted(self._named(sources, everything))

    def would_prune(self, paths: Sequence[Path]) -> list[str]:
        """Documents under the paths whose file is gone."""
        root = SourceRoot.of(self._index.folder, self._catalog)
        found = list(self._find(paths, root, prune=True))
        seen = {root.source(item) for item in found if isinstance(item, Path)}
        unread = {root.source(Path(item.source)) for item in found if isinstance(item, Skipped)}
        return sorted(self._gone(paths, seen, unread, root))

    def _named(self, names: Sequence[str], everything: bool) -> dict[str, str]:
        """Source and file of each document that is meant by its own name, its file's or a folder's."""
        root = SourceRoot.of(self._index.folder, self._catalog)
        sources = self._catalog.sources()
        if everything:
            return dict(sources)
        chosen: dict[str, str] = {}
        for name in names:
            if not name.strip():
                raise InputError("an empty name means no document: --all removes all of them")
            meant = {name.rstrip("/"), root.source(Path(name))}
            matches = {source: file for source, file in sources if _is_within(source, file, meant)}
            if not matches:
                raise InputError(f"{name!r} is not in the index: `rag status --sources` lists what is")
            if len(matches) == len(sources) > 1:
                raise InputError(
                    f"{name!r} means all {len(sources)} documents of the index: --all removes them"
                )
            chosen |= matches
        return chosen

    def rebuild(self, embed: bool = False) -> int:
        """Fills Chroma and the lexical index anew from the catalog. Returns the number of chunks.

        With `embed`, documents are also cut and encoded anew by the present settings: the way out
        of a changed embedder or chunker. The old index answers questions until the new one is whole.
        """
        with self._index.rebuilding() as fresh:
            if embed:
                self._encode_anew(fresh)
            else:
                self._index.check_fingerprint(self._fingerprint)
                self._put_all(fresh, self._stored())
                self._catalog.switch(fresh.number)
            self._catalog.sweep(pending=embed)
            return self._catalog.counts()[1]

    # --- files ----------------------------------------------------------------------------

    def _find(self, paths: Sequence[Path], root: SourceRoot, prune: bool) -> Iterator[Found]:
        """With `prune`, a path that is gone from the disk but known to the catalog is no mistake."""
        sources = self._catalog.sources()
        there = [
            path
            for path in paths
            if path.exists() or not (prune and any(_is_within(s, f, {root.source(path)}) for s, f in sources))
        ]
        yield from find_files(there, self._loaders)

    def _look(
        self, paths: Sequence[Path], root: SourceRoot, prune: bool, tally: _Tally
    ) -> tuple[list[Path], dict[str, str]]:
        """The files to read; and with `prune` the documents, each with its file, that were not met."""
        found = list(self._find(paths, root, prune))
        files = [item for item in found if isinstance(item, Path)]
        unread = [Skipped(root.source(Path(s.source)), s.reason) for s in found if isinstance(s, Skipped)]
        tally.skipped += unread
        # A link that is not followed is no more in the folder than a hidden file.
        tally.skipped += [Skipped(root.source(f.path), OUTSIDE) for f in found if isinstance(f, LeadsOut)]
        if not prune:
            return files, {}
        # What could not be read has not vanished: nothing under it is pruned.
        seen = {root.source(file) for file in files}
        return files, self._gone(paths, seen, {s.source for s in unread}, root)

    def _readings(
        self, files: Sequence[Path], root: SourceRoot, paths: Sequence[Path]
    ) -> Iterator[New | Read]:
        """What the files come to, as they are found below the paths."""
        roots = reach(paths, self._loaders)
        readings = Readings(self._catalog, self._loaders, self._chunker, self._key, roots)
        return readings.of([(path, root.source(path)) for path in files])

    def _read_all(
        self, readings: Iterator[New | Read], files: int, generation: Generation, tally: _Tally
    ) -> None:
        group, done = _Group(generation), 0
        refused: list[Skipped] = []
        with ThreadPoolExecutor(1) as storing:
            for item in ahead(readings, _AHEAD):
                if isinstance(item, New):
                    self._take(item, group, tally, refused)
                    if group.size >= _GROUP_CHUNKS:
                        self._flush(group, tally, storing)
                    continue
                self._finish(item, group, tally, refused)
                refused, done = [], done + 1
                self._progress("read", done, files)
            group.is_last = True
            self._flush(group, tally, storing)
            group.stored.result()

    def _take(self, cut: New, group: _Group, tally: _Tally, refused: list[Skipped]) -> None:
        document = cut.entry.document
        if cut.is_new and self._is_taken(document, group):
            refused.append(Skipped(document.source, "a document of another file has this very name"))
            return
        tally.count(cut)
        group.add(cut.entry)

    def _finish(self, read: Read, group: _Group, tally: _Tally, refused: Sequence[Skipped]) -> None:
        """The file's own row comes with its last documents."""
        tally.finish(read)
        tally.skipped += refused
        group.gone += read.gone
        if read.record:
            documents = read.record.documents - len(refused)
            group.files[read.file] = FileRecord(read.record.hash, documents, (*read.skipped, *refused))

    def _is_taken(self, document: Document, group: _Group) -> bool:
        """`a.jsonl#1` can be the first line of a file, and a file."""
        if document.id in group.ids or document.id in group.leaving:
            return True
        return bool(self._catalog.document_ids([document.source]))

    def _cut(self, entry: Entry) -> Entry:
        chunks = tuple(self._chunker.chunk(entry.document))
        keys = tuple(map(self._key, chunks))
        return replace(entry, chunks=chunks, keys=keys, cut=self._chunker.fingerprint)

    # --- into the index -------------------------------------------------------------------

    def _flush(self, group: _Group, tally: _Tally, storing: ThreadPoolExecutor) -> None:
        """A file of many documents goes in over several groups; its own row comes with the last.

        One group is stored while the next is encoded, but never two at a time.
        """
        self._embed(group.entries, tally, group.is_last)
        group.stored.result()
        group.stored = storing.submit(self._store, group.leave(), tally)

    def _store(self, group: _Group, tally: _Tally) -> None:
        chunks = [chunk for entry in group.entries for chunk in entry.chunks]
        self._catalog.mark_dirty([chunk.id for chunk in chunks])
        total = tally.chunks + len(chunks) if group.is_last else 0
        self._progress("store", tally.chunks, total)
        self._index.put(group.generation, chunks, self._vectors(group.entries))
        stale = self._catalog.commit(group.entries, group.gone, group.files)
        self._index.remove(group.generation, stale)
        self._catalog.clear_dirty()
        tally.chunks += len(chunks)
        self._progress("store", tally.chunks, total)

    def _embed(self, entries: Sequence[Entry], tally: _Tally, is_last: bool = True) -> None:
        """Encodes what the cache does not hold, and saves it as it comes."""
        readings = {
            key: chunk.reading
            for entry in entries
            for key, chunk in zip(entry.keys, entry.chunks, strict=True)
        }
        # Longest first over the whole group: batches of like lengths waste no padding.
        missing = sorted(self._catalog.missing(readings), key=lambda key: -len(readings[key]))
        total = tally.embedded + len(missing) if is_last else 0
        self._progress("embed", tally.embedded, total)
        for keys, encoded in ahead(self._encoded(missing, readings), 1):
            self._catalog.put_embeddings(keys, encoded)
            tally.embedded += len(keys)
            self._progress("embed", tally.embedded, total)

    def _encoded(
        self, missing: Sequence[bytes], readings: Mapping[bytes, str]
    ) -> Iterator[tuple[Sequence[bytes], Sequence[PassageVectors]]]:
        for at in range(0, len(missing), _SAVE_EVERY):
            keys = missing[at : at + _SAVE_EVERY]
            yield keys, self._embedder.embed_passages([readings[key] for key in keys])

    def _vectors(self, entries: Sequence[Entry]) -> list[Floats]:
        keys = [key for entry in entries for key in entry.keys]
        vectors = self._catalog.cached_vectors(keys)
        return [vectors[key] for key in keys]

    def _key(self, chunk: Chunk) -> bytes:
        """An embedding belongs to what was read and who read it, wherever that stands."""
        read = f"{vectors_by(self._embedder.card)}\x00{chunk.reading}"
        return hashlib.sha256(read.encode("utf-8", "surrogatepass")).digest()[:16]

    # --- out of the index -----------------------------------------------------------------

    def _gone(
        self, paths: Sequence[Path], seen: set[str], unread: set[str], root: SourceRoot
    ) -> dict[str, str]:
        """Documents under the paths given whose file was not met there any more."""
        roots = {root.source(path) for path in paths}
        return {
            source: file
            for source, file in self._catalog.sources()
            if file not in seen and _is_within(source, file, roots) and not _is_within(source, file, unread)
        }

    def _forget(self, generation: Generation, documents: Mapping[str, str]) -> None:
        ids = self._catalog.document_ids(list(documents))
        self._catalog.forget_files(sorted(set(documents.values())))
        stale = self._catalog.commit((), ids, {})
        self._index.remove(generation, stale)
        self._catalog.clear_dirty()

    # --- anew -----------------------------------------------------------------------------

    def _encode_anew(self, fresh: Generation) -> None:
        self._catalog.drop_damaged_embeddings()
        entries = [self._cut(entry) for entry in self._catalog.entries()]
        self._embed(entries, _Tally())
        self._put_all(fresh, _in_groups((e.chunks, self._vectors([e])) for e in entries))
        self._catalog.replace_all(entries, self._fingerprint, fresh.number)

    def _put_all(self, fresh: Generation, batches: Iterable[_Batch]) -> None:
        for chunks, vectors in batches:
            self._index.put(fresh, chunks, vectors)

    def _stored(self) -> Iterator[_Batch]:
        total, done = self._catalog.counts()[1], 0
        for chunks in self._catalog.all_chunks(_GROUP_CHUNKS):
            vectors = self._catalog.vectors([chunk.id for chunk in chunks])
            yield chunks, [vectors[chunk.id] for chunk in chunks]
            done += len(chunks)
            self._progress("store", done, total)


@dataclass(slots=True)
class _Tally:
    """What an ingest has done so far."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    embedded: int = 0
    furniture: int = 0
    furnished: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def count(self, cut: New) -> None:
        furniture = cut.entry.document.furniture
        self.furniture += furniture
        self.furnished += furniture > 0
        self.new += cut.is_new
        self.changed += not cut.is_new

    def finish(self, read: Read) -> None:
        self.unchanged += read.unchanged
        self.removed += len(read.gone)
        self.skipped += read.skipped

    def report(self, seconds: float) -> IngestReport:
        return IngestReport(
            new=self.new,
            changed=self.changed,
            unchanged=self.unchanged,
            removed=self.removed,
            skipped=tuple(self.skipped),
            chunks=self.chunks,
            embedded=self.embedded,
            seconds=round(seconds, 3),
            furniture=self.furniture,
            furnished=self.furnished,
        )


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


@dataclass(slots=True)
class _Group:
    """What becomes visible in one commit. `leaving`: the documents of the group before, being stored."""

    generation: Generation
    entries: list[Entry] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    gone: list[str] = field(default_factory=list)
    files: dict[str, FileRecord] = field(default_factory=dict)
    size: int = 0
    leaving: set[str] = field(default_factory=set)
    stored: Future[None] = field(default_factory=_done)
    is_last: bool = False

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.ids.add(entry.document.id)
        self.size += len(entry.chunks)

    def leave(self) -> _Group:
        """All of it, to be stored; here begins the next one."""
        full = replace(self)
        self.entries, self.ids, self.gone, self.files, self.size = [], set(), [], {}, 0
        self.leaving = full.ids
        return full


def _is_within(source: str, file: str, names: set[str]) -> bool:
    """A document is meant by its own source, by its file's, or by a folder above that."""
    return (
        source in names
        or file in names
        or any(file.startswith(f"{name}/") for name in names)
        or ("." in names and not file.startswith("/"))
    )


def _in_groups(batches: Iterable[_Batch]) -> Iterator[_Batch]:
    chunks: list[Chunk] = []
    vectors: list[Floats] = []
    for some, theirs in batches:
        chunks += some
        vectors += theirs
        if len(chunks) >= _GROUP_CHUNKS:
            yield chunks, vectors
            chunks, vectors = [], []
    yield chunks, vectors
