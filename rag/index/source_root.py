"""The folder from which an index names its sources: the working folder of its first ingest.

Kept in the catalog as a path relative to the index, so that `docs/a.md` stays `docs/a.md` whatever
folder a later command runs in, and when the whole project is moved.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rag.index.catalog import Catalog


@dataclass(frozen=True, slots=True)
class SourceRoot:
    folder: Path

    @classmethod
    def of(cls, index_folder: Path, catalog: Catalog) -> SourceRoot:
        kept = catalog.meta("anchor")
        if kept is None:
            kept = os.path.relpath(Path.cwd(), index_folder.resolve())
            catalog.set_meta(anchor=kept)
        return cls(Path(os.path.normpath(index_folder.resolve() / kept)))

    @staticmethod
    def set(index_folder: Path, catalog: Catalog, folder: Path) -> None:
        """Names sources from this folder, whatever the working folder of the first ingest is."""
        catalog.set_meta(anchor=os.path.relpath(folder, index_folder.resolve()))

    def source(self, path: Path) -> str:
        """The name of a file in the index. Links are not resolved: the name is the user's own."""
        absolute = Path(os.path.normpath(Path.cwd() / path.expanduser()))
        if absolute.is_relative_to(self.folder):
            return absolute.relative_to(self.folder).as_posix()
        return absolute.as_posix()
