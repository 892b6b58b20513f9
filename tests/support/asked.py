"""One question and its candidates, for every reranker that is asked over HTTP."""

from __future__ import annotations

from rag.types import Candidate, Chunk, Question

QUESTION = Question("when does the dome close")

TEXTS = ("soup is at noon", "the dome does close", "the dome", "when does the dome close", "rain")


def candidates(*texts: str, **metadata: str) -> list[Candidate]:
    chunks = [
        Chunk(f"id{i}", "doc", "a.md", 0, text, 0, len(text), reading=text, metadata=metadata)
        for i, text in enumerate(texts)
    ]
    return [Candidate(chunk, rank, 1.0) for rank, chunk in enumerate(chunks, 1)]
