"""What every store's settings say."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rag.parts import PartSettings


class StoreSettings(PartSettings, frozen=True):
    """`path` is the folder of the index: catalog and lexical index lie in it, wherever the vectors are.
    inside: the folders in it that hold the vectors, if they are there."""

    inside: ClassVar[tuple[str, ...]] = ()

    path: Path = Path(".rag")

    def beside(self, folder: Path) -> StoreSettings:
        """For a copy of the index in another folder, which goes when the folder goes."""
        return self.model_copy(update={"path": folder})
