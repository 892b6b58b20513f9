"""Markdown, with YAML front matter as metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rag.loaders.raw import RawFile
from rag.types import Document

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_ATX = re.compile(r"# +(.*?)[ #]*$")
_UNDERLINE = re.compile(r"=+\s*$")


def load(file: RawFile) -> Iterable[Document]:
    metadata, text = _split(file.text())
    title = metadata.get("title") or first_heading(text)
    yield file.document(text, {**metadata, "title": title}, markup="markdown")


def _split(text: str) -> tuple[dict[str, object], str]:
    """Front matter and the rest. What is not a valid mapping stays in the text."""
    found = _FRONT_MATTER.match(text)
    metadata = _mapping(found[1]) if found else None
    return (metadata, text[found.end() :].lstrip("\n")) if found and metadata else ({}, text)


def _mapping(header: str) -> dict[str, object] | None:
    import yaml

    try:
        # An alias can make a page of YAML stand for gigabytes, and front matter has no need of it.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(header, yaml.SafeLoader)):
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


def first_heading(markdown: str) -> str | None:
    """The first title of the first level outside fenced code."""
    fence, above = "", ""
    for line in markdown.splitlines():
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            if heading := _ATX.match(line):
                return heading[1] or None
            if above and _UNDERLINE.match(line):
                return above
        above = line.strip()
    return None
