"""What a reranker reads of a chunk: what it was embedded as, or the named fields in their order."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Chunk


def reading(chunk: Chunk, fields: Sequence[str] | None = None) -> str:
    """One `name: value` line a field, as Cohere advises for structured text; the text itself stands bare.

    Fields are `title`, `headings`, `text`, `source` and any key of the metadata. One that a chunk
    does not have is left out; a chunk that has none of them is read as it was embedded.
    """
    lines = [line for name in fields or () if (line := _line(chunk, name))]
    return "\n".join(lines) or chunk.reading or chunk.text


def named(chunk: Chunk, fields: Sequence[str]) -> dict[str, str]:
    """The fields that a chunk has, in their order; one that has none of them is read as it was embedded."""
    found = {name: value for name in fields if (value := _value(chunk, name))}
    return found or {"text": chunk.reading or chunk.text}


def as_yaml(chunk: Chunk, fields: Sequence[str] | None) -> str:
    """Structured text as Cohere wants it: YAML, the fields in their order."""
    if not fields:
        return reading(chunk)
    import yaml  # only where fields are named

    return str(yaml.safe_dump(named(chunk, fields), sort_keys=False, allow_unicode=True, width=10**6))


def _line(chunk: Chunk, name: str) -> str:
    value = _value(chunk, name)
    return value if name == "text" or not value else f"{name}: {value}"


def _value(chunk: Chunk, name: str) -> str:
    if name == "text":
        return chunk.text
    if name == "source":
        return chunk.source
    if name == "headings":
        return " › ".join(chunk.headings)
    value = chunk.metadata.get(name, "")
    if name == "title" and not value:
        return chunk.headings[0] if chunk.headings else ""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
