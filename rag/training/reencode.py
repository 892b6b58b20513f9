"""An index beside the present one, made with the trained model: what `rag rebuild --embed` would make."""

from __future__ import annotations

from pathlib import Path

from rag.api import Rag
from rag.files.whole import whole
from rag.index.fingerprint import fingerprint
from rag.protocols import Progress
from rag.settings import Settings

_CATALOG = "catalog.sqlite"


def reencode(rag: Rag, settings: Settings, folder: Path, progress: Progress) -> Rag:
    """Goes on where it was killed: what is encoded already is in the copy's own cache."""
    if not (folder / _CATALOG).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / _CATALOG) as fresh:
            rag.assembly.index.catalog.copy_to(fresh)
    other = Rag(settings.model_copy(update={"store": settings.store.beside(folder)}))
    made_by = other.assembly.index.catalog.meta("fingerprint")
    if made_by != fingerprint(other.assembly.embedder.card, other.assembly.chunker):
        other.rebuild(embed=True, progress=progress)
    return other
