"""What is trained: one of the models that a config can name, with its loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.training.learning.batches import Batch
from rag.types import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter


class Student(Protocol):
    """`network` is what has weights; `temperatures` are learned beside it and thrown away."""

    @property
    def network(self) -> Module: ...

    @property
    def temperatures(self) -> Sequence[Parameter]: ...

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Its parts by name, weighted: their sum is what training makes small."""
        ...

    def scores(self, question: str, passages: Sequence[str]) -> tuple[Floats, Floats | None]:
        """As the reranker would give them, in floats; and the cosines, where those change too."""
        ...

    def save(self, folder: Path) -> None: ...
