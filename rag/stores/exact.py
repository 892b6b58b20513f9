"""Rows of vectors in files, mapped into memory where they are searched.

`rows` and `tags` are appended to; `state` says how much of them counts and which rows do no more, and is
replaced as a whole: that is the moment at which a change is made. What lies beyond, a killed writer has left.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from rag.errors import StoreError
from rag.files.whole import write_whole
from rag.filters import Where
from rag.stores.rows import NONE, TAG, Numbers, Records, Rows, hashed_tags, records_of, row_type
from rag.types import Chunk, Floats, Hit

# Rows that count no more are looked at all the same: beyond such a share the others are written anew.
_MOST_DEAD = 1 / 4
_FEWEST_DEAD = 1000
# Rows copied together.
_TOGETHER = 65_536


@dataclass(frozen=True, slots=True)
class _State:
    """How much of the files counts, and its checksums. A filling has files of its own."""

    filling: int = 1
    dimension: int = 0
    rows: int = 0
    tags: int = 0
    rows_sum: int = 0
    tags_sum: int = 0
    dead_sum: int = 0


class ExactIndex:
    """One writer at a time; a reader has what stood there when it opened, or what it wrote itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state, self._rows = self._read()

    def count(self) -> int:
        return self._rows.count()

    def held(self) -> dict[str, int]:
        return {"rows": self.count()}

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        return self._rows.search(vector, n, where)

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        """An id stands for one text and vector; where it is filed otherwise now, its row is written anew."""
        given = {chunk.id: (chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True)}
        there = self._rows.numbers([*given])
        fresh = [
            (chunk, vector)
            for chunk, vector in given.values()
            if chunk.id not in there or self._rows.filed_under(there[chunk.id]) != hashed_tags(chunk)
        ]
        if not fresh:
            return
        start = self._state.rows
        records, tags = records_of([chunk for chunk, _ in fresh], [vector for _, vector in fresh], start)
        if start and records["vector"].shape[1] != self._state.dimension:
            raise StoreError(
                f"a vector of dimension {records['vector'].shape[1]} cannot stand among those of dimension "
                f"{self._state.dimension}: `rag rebuild --embed` makes all anew"
            )
        replaced = [there[chunk.id] for chunk, _ in fresh if chunk.id in there]
        self._write(records, tags, replaced)

    def delete(self, ids: Sequence[str]) -> None:
        if gone := [*self._rows.numbers(ids).values()]:
            self._write(NONE.records, NONE.tags, gone)
        dead = len(self._rows.dead)
        if dead > _FEWEST_DEAD and dead > _MOST_DEAD * self._state.rows:
            self._write_anew()

    def check(self) -> None:
        """Reads all of it: is every byte as it was written?"""
        for name, records, checksum in (
            ("rows", self._rows.records, self._state.rows_sum),
            ("tags", self._rows.tags, self._state.tags_sum),
        ):
            if _checksum(records) != checksum:
                raise StoreError(
                    f"{self._file(name, self._state)} is damaged: `rag rebuild` makes it anew "
                    "(nothing is embedded)"
                )

    # --- files ----------------------------------------------------------------------------

    def _file(self, name: str, state: _State) -> Path:
        return self._folder / f"{name}-{state.filling}"

    def _read(self) -> tuple[_State, Rows]:
        """Where anything is not as it was written, nothing is there."""
        try:
            header, numbers = (self._folder / "state").read_bytes().split(b"\n", 1)
            state, dead = _State(**json.loads(header)), np.frombuffer(numbers, np.int64)
            if zlib.crc32(numbers) != state.dead_sum:
                raise ValueError
            return state, self._mapped(state, dead)
        except (OSError, ValueError, TypeError):
            return _State(), NONE

    def _mapped(self, state: _State, dead: Numbers) -> Rows:
        if not state.rows:
            return NONE
        rows = np.memmap(self._file("rows", state), row_type(state.dimension), "r", shape=(state.rows,))
        tags = (
            np.memmap(self._file("tags", state), TAG, "r", shape=(state.tags,)) if state.tags else NONE.tags
        )
        return Rows(np.asarray(rows), np.asarray(tags), dead)

    def _write(self, records: Records, tags: Records, gone: Sequence[int]) -> None:
        dead = np.sort(np.concatenate([self._rows.dead, np.array(gone, np.int64)]))
        self._commit(self._appended(self._state, records, tags), dead)

    def _appended(self, state: _State, records: Records, tags: Records) -> _State:
        """What counts once these rows do too, which now lie in the files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        width = records["vector"].shape[1] if len(records) else state.dimension
        size = state.rows * row_type(width).itemsize
        return replace(
            state,
            dimension=width,
            rows=state.rows + len(records),
            tags=state.tags + len(tags),
            rows_sum=_append(self._file("rows", state), size, records, state.rows_sum),
            tags_sum=_append(self._file("tags", state), state.tags * TAG.itemsize, tags, state.tags_sum),
        )

    def _commit(self, state: _State, dead: Numbers) -> None:
        state = replace(state, dead_sum=zlib.crc32(dead.tobytes()))
        write_whole(self._folder / "state", json.dumps(asdict(state)).encode() + b"\n" + dead.tobytes())
        self._state, self._rows = state, self._mapped(state, dead)

    def _write_anew(self) -> None:
        """Into other files: whoever reads the present ones goes on."""
        alive = np.delete(np.arange(self._state.rows), self._rows.dead)
        tags = self._rows.tags[np.isin(self._rows.tags["row"], alive)]
        tags["row"] = np.searchsorted(alive, tags["row"])
        before, state = self._state, _State(filling=self._state.filling + 1)
        for at in range(0, len(alive), _TOGETHER):
            part = alive[at : at + _TOGETHER]
            some = tags[slice(*np.searchsorted(tags["row"], [at, at + len(part)]))]
            state = self._appended(state, self._rows.records[part], some)
        self._commit(state, NONE.dead)
        for name in ("rows", "tags"):
            self._file(name, before).unlink(missing_ok=True)


def _append(path: Path, size: int, records: Records, checksum: int) -> int:
    """What lies beyond `size` never counted. Returns the checksum of all that does."""
    if not len(records):
        return checksum
    if not size:
        path.unlink(missing_ok=True)  # not emptied: somebody may read it
    content = records.tobytes()
    with path.open("r+b" if size else "xb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return zlib.crc32(content, checksum)


def _checksum(records: Records) -> int:
    checksum = 0
    for at in range(0, len(records), _TOGETHER):
        checksum = zlib.crc32(records[at : at + _TOGETHER].tobytes(), checksum)
    return checksum
