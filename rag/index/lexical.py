"""BM25 over the same chunks, by tantivy: derived from the catalog and rebuildable like the vectors.

To tantivy what was deleted counts until its segment is merged, so that scores would depend on what came and
went. How rare a word is among what stands is therefore counted here, and the index is filled anew in time:
what is left is the average length of a passage, which deleted ones may shift by a few per cent.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rag.errors import StoreError
from rag.files.seal import changed, read_seal, seal
from rag.filters import Where, filed, tag, tags
from rag.protocols import Passages
from rag.types import Chunk, Hit

if TYPE_CHECKING:
    from tantivy import Index, Query

_ANALYZER = "rag_en"
_SEAL = "files.seal"
_REMEDY = "`rag rebuild` makes it anew (nothing is embedded)"
# A pasted page is no better a query than its first few hundred distinct words, and much slower.
_MOST_TERMS = 256
# k1 + 1 of BM25 as tantivy computes it: what a word's frequency multiplies its rarity by at most.
_WORD_LIMIT = 2.2
# Beyond such a share of what stands, what was deleted is swept out at the end of a writing.
_MOST_DEAD = 1 / 20
_BATCH = 1000


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise StoreError(f"the lexical index cannot {doing}: {error}. If it is damaged, {_REMEDY}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, and no Exception of Python's
            raise
        raise StoreError(f"the lexical index cannot {doing}, its files are damaged: {_REMEDY}") from error


def _is_a_segments(name: str) -> bool:
    """The others say which segments there are, and change."""
    return not name.endswith((".json", ".lock", _SEAL))


class LexicalStore:
    """Generations of the lexical index, each in a folder of its own, named after their catalog."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def open(self, family: str, generation: int, passages: Passages | None = None) -> LexicalIndex:
        """passages: what it should hold. Without: one that is about to be filled.

        What is not as it was written is not read: tantivy would panic at it, or be silently wrong."""
        self.check(family, generation)
        return LexicalIndex(self._folder / f"{family}-{generation}", passages)

    def check(self, family: str, generation: int) -> None:
        """A file never changes once it is written. One that a later writer has merged away is gone."""
        folder = self._folder / f"{family}-{generation}"
        if broken := changed(read_seal(folder / _SEAL) or {}, folder, gone=False):
            raise StoreError(f"{folder / broken[0]} is not as it was written: {_REMEDY}")

    def seal(self, family: str, generation: int) -> None:
        """The writer is done with it."""
        folder = self._folder / f"{family}-{generation}"
        if folder.exists():
            seal(folder / _SEAL, folder, _is_a_segments)

    def drop_all_but(self, family: str, generation: int) -> None:
        for folder in self._folder.iterdir() if self._folder.exists() else ():
            if folder.name != f"{family}-{generation}":
                shutil.rmtree(folder, ignore_errors=True)


class LexicalIndex:
    """User text never reaches a query parser: it is analysed into terms, so no syntax can be wrong."""

    @_translated("be opened")
    def __init__(self, folder: Path, passages: Passages | None = None) -> None:
        import tantivy

        self.folder, self._passages = folder, passages

        if not folder.exists() or os.access(folder, os.W_OK):
            folder.mkdir(parents=True, exist_ok=True)
        else:  # tantivy locks what it reads
            self._copy = TemporaryDirectory(prefix="rag-lexical-")
            folder = Path(
                shutil.copytree(folder, Path(self._copy.name) / "words", copy_function=shutil.copyfile)
            )
        self._analyzer = _analyzer()
        self._index: Index = tantivy.Index(_schema(), path=str(folder))
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._reload()

    @_translated("be written")
    def add(self, chunks: Sequence[Chunk]) -> None:
        """Replaces chunks of the same id. On disk when this returns."""
        writer = self._writer(64_000_000)
        for chunk in chunks:
            writer.delete_documents_by_term("id", chunk.id)
            writer.add_document(_document(chunk))
        self._commit(writer)

    @_translated("be written")
    def delete(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        writer = self._writer(16_000_000)
        for id_ in ids:
            writer.delete_documents_by_term("id", id_)
        self._commit(writer)

    @_translated("be written")
    def settle(self) -> bool:
        """Filled anew, in one step, where it lacks passages or too much was deleted. Was it?"""
        if self._passages is None:
            return False
        held = self.count()
        if held >= self._passages.counts()[1] and self._dead <= _MOST_DEAD * held:
            return False
        writer = self._writer(64_000_000)
        writer.delete_all_documents()
        for chunks in self._passages.all_chunks(_BATCH):
            for chunk in chunks:
                writer.add_document(_document(chunk))
        self._commit(writer)
        return True

    def _commit(self, writer: Any) -> None:
        writer.commit()
        writer.wait_merging_threads()
        self._reload()

    def _reload(self) -> None:
        self._index.reload()
        self._dead = self._count_dead()
        self._known: dict[str, int] = {}

    @_translated("be read")
    def count(self) -> int:
        return int(self._searcher().num_docs)

    @_translated("be searched")
    def search(self, text: str, n: int, where: Where | None = None) -> list[Hit]:
        """The best n by BM25, best first; of equally good ones those whose ids come first."""
        bag = self._bag(text)
        if bag is None or n < 1:
            return []
        searcher = self._searcher()
        hits = searcher.search(self._filtered(bag, where), n, count=False).hits
        found = [Hit(searcher.doc(address)["id"][0], float(score)) for score, address in hits]
        return sorted(found, key=lambda hit: (-hit.score, hit.id))

    @_translated("be searched")
    def score(self, text: str, ids: Sequence[str]) -> dict[str, float]:
        """BM25 of these chunks, whether they are among the best or not; 0 where no word matches."""
        from tantivy import Occur, Query

        bag = self._bag(text)
        if bag is None or not ids:
            return dict.fromkeys(ids, 0.0)
        only = Query.const_score_query(Query.term_set_query(self._index.schema, "id", list(ids)), 0.0)
        searcher = self._searcher()
        hits = searcher.search(Query.boolean_query([(Occur.Must, only), (Occur.Must, bag)]), len(ids)).hits
        found = {searcher.doc(address)["id"][0]: float(score) for score, address in hits}
        return {id_: found.get(id_, 0.0) for id_ in ids}

    @_translated("be searched")
    def limit(self, text: str) -> float:
        """What BM25 gives at most: each of the text's words so often that more would add nothing."""
        all_ = self._searcher().num_docs
        return _WORD_LIMIT * sum(_rarity(self._holding(term), all_) for term in self._terms(text))

    def _writer(self, heap_size: int) -> Any:
        writer = self._index.writer(heap_size=heap_size, num_threads=1)
        # A killed writer may have left files of the names that this one comes to choose.
        writer.garbage_collect_files()
        return writer

    def _searcher(self) -> Any:
        return self._index.searcher()

    def _bag(self, text: str) -> Query | None:
        """Any of the text's words; None where it has none."""
        from tantivy import Occur, Query

        words = [(Occur.Should, self._word(term)) for term in self._terms(text)]
        return Query.boolean_query(words) if words else None

    def _word(self, term: str) -> Query:
        """With the weight that it has among what stands."""
        from tantivy import Query

        word = Query.term_query(self._index.schema, "text", term, "freq")
        if not self._dead:
            return word
        searcher = self._searcher()
        theirs = _rarity(searcher.doc_freq("text", term), searcher.num_docs + self._dead)
        return Query.boost_query(word, _rarity(self._holding(term), searcher.num_docs) / theirs)

    def _holding(self, term: str) -> int:
        """How many passages have the word."""
        from tantivy import Query

        searcher = self._searcher()
        if not self._dead:
            return int(searcher.doc_freq("text", term))
        known = self._known
        if term not in known:
            word = Query.term_query(self._index.schema, "text", term, "freq")
            known[term] = searcher.search(Query.const_score_query(word, 0.0), 1, count=True).count
        return known[term]

    def _count_dead(self) -> int:
        """Those deleted that still count. Only an explanation of a score tells of them."""
        from tantivy import Query

        searcher = self._searcher()
        for _, address in searcher.search(Query.all_query(), 1, count=False).hits:
            named = Query.term_query(self._index.schema, "id", searcher.doc(address)["id"][0])
            told = json.loads(named.explain(searcher, address).to_json())
            counted = next(part["value"] for part in _parts(told) if part["description"].startswith("N, "))
            return int(counted) - int(searcher.num_docs)
        return 0

    def _terms(self, text: str) -> list[str]:
        readable = text.encode("utf-8", "replace").decode()
        return list(dict.fromkeys(self._analyzer.analyze(readable)))[:_MOST_TERMS]

    def _filtered(self, bag: Query, where: Where | None) -> Query:
        from tantivy import Occur, Query

        must = [(Occur.Must, bag)]
        for key, values in where.clauses if where else ():
            filed = Query.term_set_query(self._index.schema, "tags", [tag(key, value) for value in values])
            must.append((Occur.Must, Query.const_score_query(filed, 0.0)))
        return Query.boolean_query(must)


def _document(chunk: Chunk) -> Any:
    import tantivy

    return tantivy.Document(id=chunk.id, tags=tags(filed(chunk)), text=chunk.reading)


def _parts(told: Any) -> Iterator[Any]:
    """An explanation and all that it is made of."""
    yield told
    for part in told.get("details") or ():
        yield from _parts(part)


def _rarity(some: int, all_: int) -> float:
    """BM25's inverse document frequency."""
    return math.log(1 + (max(all_ - some, 0) + 0.5) / (some + 0.5))


def _schema() -> Any:
    from tantivy import SchemaBuilder

    schema = SchemaBuilder()
    schema.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    schema.add_text_field("tags", stored=False, tokenizer_name="raw", index_option="basic")
    schema.add_text_field("text", stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return schema.build()


def _analyzer() -> Any:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple())
    for step in (Filter.remove_long(40), Filter.lowercase(), Filter.ascii_fold(), Filter.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()
