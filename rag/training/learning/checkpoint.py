"""What training needs to go on after a kill: written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


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

        fresh = self._path.with_name(f"{self._path.name}.tmp")
        with fresh.open("wb") as stream:
            torch.save({**state, "identity": self._identity}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, self._path)
