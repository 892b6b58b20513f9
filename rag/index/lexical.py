"""BM25 over the same chunks, by tantivy: derived from the catalog and rebuildable like the vectors."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import StoreError
from rag.filters import Where
from rag.types import Chunk, Hit, filed, tag, tags

if TYPE_CHECKING:
    from tantivy import Index, Query

_ANALYZER = "rag_en"
# A pasted page is no better a query than its first few hundred distinct words, and much slower.
_MOST_TERMS = 256
# k1 + 1 of BM25 as tantivy computes it: what a word's frequency multiplies its rarity by at most.
_WORD_LIMIT = 2.2


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise StoreError(
            f"the lexical index cannot {doing}: {error}. "
            "If it is damaged, `rag rebuild` makes it anew (nothing is embedded again)"
        ) from error


class LexicalStore:
    """Generations of the lexical index, each in a folder of its own, named after their catalog."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def open(self, family: str, generation: int) -> LexicalIndex:
        return LexicalIndex(self._folder / f"{family}-{generation}")

    def drop_all_but(self, family: str, generation: int) -> None:
        for folder in self._folder.iterdir() if self._folder.exists() else ():
            if folder.name != f"{family}-{generation}":
                shutil.rmtree(folder, ignore_errors=True)


class LexicalIndex:
    """User text never reaches a query parser: it is analysed into terms, so no syntax can be wrong."""

    @_translated("be opened")
    def __init__(self, folder: Path) -> None:
        import tantivy

        folder.mkdir(parents=True, exist_ok=True)
        self._analyzer = _analyzer()
        self._index: Index = tantivy.Index(_schema(), path=str(folder))
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._index.reload()

    @_translated("be written")
    def add(self, chunks: Sequence[Chunk]) -> None:
        """Replaces chunks of the same id. On disk when this returns."""
        import tantivy

        writer = self._index.writer(heap_size=64_000_000, num_threads=1)
        for chunk in chunks:
            writer.delete_documents_by_term("id", chunk.id)
            writer.add_document(tantivy.Document(id=chunk.id, tags=tags(filed(chunk)), text=chunk.reading))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    @_translated("be written")
    def delete(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        writer = self._index.writer(heap_size=16_000_000, num_threads=1)
        for id_ in ids:
            writer.delete_documents_by_term("id", id_)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    @_translated("be read")
    def count(self) -> int:
        return int(self._searcher().num_docs)

    @_translated("be searched")
    def search(self, text: str, n: int, where: Where | None = None) -> list[Hit]:
        """The best n by BM25, best first."""
        bag = self._bag(text)
        if bag is None or n < 1:
            return []
        searcher = self._searcher()
        hits = searcher.search(self._filtered(bag, where), n, count=False).hits
        return [Hit(searcher.doc(address)["id"][0], float(score)) for score, address in hits]

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
        searcher = self._searcher()
        holding = (searcher.doc_freq("text", term) for term in self._terms(text))
        return _WORD_LIMIT * sum(_rarity(some, searcher.num_docs) for some in holding)

    def _searcher(self) -> Any:
        return self._index.searcher()

    def _bag(self, text: str) -> Query | None:
        """Any of the text's words; None where it has none."""
        from tantivy import Occur, Query

        schema = self._index.schema
        words = [(Occur.Should, Query.term_query(schema, "text", term, "freq")) for term in self._terms(text)]
        return Query.boolean_query(words) if words else None

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
