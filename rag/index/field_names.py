"""How many names of metadata fields an index may have: a store learns each, and is slower with every one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rag.index.catalog import Catalog
from rag.index.rows import Entry
from rag.shown import first_of
from rag.types import Metadata, Skipped

_MOST = 1_000


class FieldNames:
    """First come, first kept: a later document keeps those of its fields that the index knows."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: set[str] | None = None

    def within(self, entry: Entry) -> tuple[Entry, list[Skipped]]:
        """The document with the fields that can be kept, and a line where there are others."""
        document = entry.document
        beyond = self._beyond(document.metadata)
        if not beyond:
            return entry, []
        kept = {key: value for key, value in document.metadata.items() if key not in beyond}
        told = first_of([*map(repr, beyond)])
        reason = f"{len(beyond):,} of its fields are left out ({told}): the index has {_MOST:,} other names"
        return _with_metadata(entry, kept), [Skipped(document.source, reason)]

    def _beyond(self, names: Iterable[str]) -> list[str]:
        if self._known is None:
            self._known = set(self._catalog.metadata_keys())
        new = [name for name in names if name not in self._known]
        room = max(_MOST - len(self._known), 0)
        self._known.update(new[:room])
        return new[room:]


def _with_metadata(entry: Entry, metadata: Metadata) -> Entry:
    chunks = tuple(replace(chunk, metadata=metadata) for chunk in entry.chunks)
    return replace(entry, document=replace(entry.document, metadata=metadata), chunks=chunks)
