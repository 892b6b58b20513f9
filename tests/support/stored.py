"""What a store keeps: chunks and vectors without a document."""

from __future__ import annotations

import numpy as np

from rag.types import Chunk, Floats, Metadata

_RANDOM = np.random.RandomState(1)


def chunks(count: int, start: int = 0) -> list[Chunk]:
    metadata: Metadata = {"year": 2024, "t": ("a", "b")}
    return [
        Chunk(f"id{i}", f"d{i}", f"{i}.md", 0, f"text {i}", 3, 9, ("A", "B"), 2, metadata=metadata)
        for i in range(start, start + count)
    ]


def vectors(count: int, dimension: int = 8) -> list[Floats]:
    """Never the same twice."""
    made = _RANDOM.standard_normal((count, dimension)).astype(np.float32)
    return [*(made / np.linalg.norm(made, axis=1, keepdims=True))]
