"""What the judgements call a document: its source in the index, less where the collection lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rag.errors import InputError


@dataclass(frozen=True, slots=True)
class Naming:
    """`missing`: documents that are judged relevant but stand under no such name in the index."""

    prefix: str
    missing: tuple[str, ...] = ()

    def document(self, source: str) -> str:
        return source.removeprefix(self.prefix)


def naming(sources: Iterable[str], judged: Iterable[str]) -> Naming:
    """One prefix for all: by the end of its path alone, `old/limits.md` would pass for `limits.md`."""
    sources, judged = set(sources), set(judged)
    if not judged:
        return Naming("")
    counted = Counter(prefix for source in sources for prefix in _prefixes(source, judged))
    if not counted:
        raise InputError(
            f"none of the {len(judged)} documents that the judgements name is in the index "
            f"(such as {min(judged)!r}): `rag status --sources` lists what is"
        )
    prefix = max(sorted(counted), key=lambda found: counted[found])
    return Naming(prefix, tuple(sorted(name for name in judged if prefix + name not in sources)))


def _prefixes(source: str, judged: set[str]) -> Iterable[str]:
    """All that, cut off, leaves a judged name: a folder, or the file whose record this is."""
    if source in judged:
        yield ""
    for at, letter in enumerate(source):
        if letter in "/#" and source[at + 1 :] in judged:
            yield source[: at + 1]
