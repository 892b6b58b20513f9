"""Markdown, with YAML front matter as metadata."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rag.loaders.raw import RawFile
from rag.markdown import titles
from rag.types import Document

if TYPE_CHECKING:
    from yaml.events import Event

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
# Front matter has no need of more.
_LONGEST_HEADER = 65_536
_DEEPEST = 20
_WRITTEN = re.compile(r"""^.*?<a\s+(?:id|name)=["']([^"'<>]+)["']""", re.MULTILINE)
_TITLE = re.compile(r"^ {0,3}(?:#[ \t]|=+[ \t]*$)", re.MULTILINE)  # there may be one


def load(file: RawFile) -> Iterable[Document]:
    metadata, text = _split(file.text())
    title = metadata.get("title") or first_heading(text)
    named = tuple(anchors(text))
    yield file.document(text, {**metadata, "title": title}, markup="markdown", anchors=named)


def _split(text: str) -> tuple[dict[str, object], str]:
    """Front matter and the rest. What is not a valid mapping stays in the text."""
    found = _FRONT_MATTER.match(text)
    metadata = _mapping(found[1]) if found else None
    return (metadata, text[found.end() :].lstrip("\n")) if found and metadata else ({}, text)


def _mapping(header: str) -> dict[str, object] | None:
    import yaml

    try:
        if len(header) > _LONGEST_HEADER or not all(_is_flat(yaml.parse(header, yaml.SafeLoader))):
            return None
        values = yaml.safe_load(header)
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ):
        return None  # beside its own errors, PyYAML lets through those of the values that it builds
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else None


def _is_flat(events: Iterable[Event]) -> Iterator[bool]:
    """An alias can make a page of YAML stand for gigabytes; brackets within each other take minutes."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        yield depth <= _DEEPEST and not isinstance(event, yaml.AliasEvent)


def first_heading(markdown: str) -> str | None:
    """The first title of the first level."""
    found = titles(markdown) if _TITLE.search(markdown) else []
    return next((title for _, level, title in found if level == 1 and title), None)


def anchors(markdown: str) -> Iterator[tuple[int, str]]:
    """Of each heading, as GitHub names them; and those that are written out."""
    taken: Counter[str] = Counter()
    found = [(written.start(), written[1]) for written in _WRITTEN.finditer(markdown)]
    for at, _, title in titles(markdown):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        if slug:
            found.append((at, f"{slug}-{taken[slug]}" if taken[slug] else slug))
            taken[slug] += 1
    yield from sorted(found)
