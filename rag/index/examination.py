"""Catalog, vectors and words held against each other: all is read, and each passage looked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.errors import StoreError
from rag.index.catalog import Catalog
from rag.index.index import Generation, Index
from rag.shown import first_of
from rag.types import Chunk, Hit

# Of so many passages all are looked for, of more a sample of about as many.
_LOOKED_FOR = 2000
_PAGE = 500
# Passages that are equal word for word crowd a search for one of them.
_CROWD = 50
_EQUAL = 0.9999

_RESTORE = "`rag restore FILE --replace` puts a backup in its place"
_ENCODE = "`rag rebuild --embed` makes passages and vectors anew from the documents"
_REBUILD = "`rag rebuild` makes it anew (nothing is embedded)"


@dataclass(frozen=True, slots=True)
class Examined:
    """`problem` is empty where all is well; else it names the one command that mends."""

    told: str
    problem: str = ""


def examine_catalog(catalog: Catalog) -> Examined:
    """Every page and every row."""
    if pages := catalog.damaged_pages():
        return Examined(
            "", f"{catalog.path} is damaged ({pages}): {_RESTORE}; without one, {_begin(catalog)}"
        )
    if documents := catalog.damaged_documents():
        named = first_of(documents)
        mend = f"without one, `rag remove {documents[0]}`, and `rag ingest` it again"
        return Examined("", f"{len(documents):,} documents are damaged ({named}): {_RESTORE}; {mend}")
    if passages := catalog.damaged_passages():
        return Examined("", f"{passages:,} passages are damaged, or lack document or vector: {_ENCODE}")
    documents_held, chunks = catalog.counts()
    return Examined(
        f"every page and row is as it was written; {documents_held:,} documents, {chunks:,} chunks"
    )


def _begin(catalog: Catalog) -> str:
    return f"move {catalog.path.parent} away, and `rag ingest` makes it anew"


def examine_derived(index: Index) -> Examined:
    """Does the store find each passage by its vector, and the lexical index by its words?"""
    try:
        index.check_files()
    except StoreError as error:
        return Examined("", str(error))
    return index.read(lambda generation: _examine(index.catalog, generation))


def _examine(catalog: Catalog, generation: Generation) -> Examined:
    _, chunks = catalog.counts()
    held = {"the store": generation.vectors.count(), "the lexical index": generation.lexical.count()}
    for name, count in held.items():
        if count != chunks:
            return Examined("", f"the catalog has {chunks:,} passages, {name} {count:,}: {_REBUILD}")
    looked_for = 0
    for some in _sample(catalog, chunks):
        vectors = catalog.vectors([chunk.id for chunk in some])
        for chunk in some:
            if not _found(chunk, generation.vectors.search(vectors[chunk.id], _CROWD)):
                return Examined("", f"the store does not find {chunk.id} by its own vector: {_REBUILD}")
            if not _has_words(chunk, generation):
                return Examined("", f"the lexical index does not find {chunk.id} by its words: {_REBUILD}")
        looked_for += len(some)
    return Examined(f"store and lexical index find {looked_for:,} of {looked_for:,} passages looked for")


def _sample(catalog: Catalog, chunks: int) -> Iterator[Sequence[Chunk]]:
    every = max(1, chunks // _LOOKED_FOR)
    for page in catalog.all_chunks(_PAGE):
        yield page[::every]


def _found(chunk: Chunk, hits: Sequence[Hit]) -> bool:
    return any(hit.id == chunk.id for hit in hits) or (len(hits) == _CROWD and hits[-1].score > _EQUAL)


def _has_words(chunk: Chunk, generation: Generation) -> bool:
    lexical = generation.lexical
    return lexical.limit(chunk.reading) == 0 or lexical.score(chunk.reading, [chunk.id])[chunk.id] > 0
