"""What training needs to go on after a kill: written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.files.whole import whole


class Checkpoint:
    """`identity` says what is being trained on what: of another training nothing is taken over."""

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._identity = identity

    def read(self) -> dict[str, Any] | None:
        import torch

        if not self._path.exists():
            return None
        # A checkpoint is replaced as a whole: one that cannot be read was not torn by a kill.
        state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return state if state.pop("identity") == self._identity else None

    def write(self, state: dict[str, Any]) -> None:
        import torch

        with whole(self._path) as fresh:
            torch.save({**state, "identity": self._identity}, fresh)
