"""txtai as its documentation shows it: Textractor, Embeddings with content, Reranker over Similarity."""

import os
import pathlib
import sys

from peer import serve
from txtai import Embeddings
from txtai.pipeline import Reranker, Similarity, Textractor


def ingest(corpus, store):
    textractor = Textractor(chunker="recursive", chunk_size=1000)
    embeddings = Embeddings(path=os.environ["EMBEDDER"], content=True)
    embeddings.index(
        (f"{path}-{number}", {"text": text, "source": str(path)})
        for path in sorted(pathlib.Path(corpus).rglob("*"))
        if path.is_file()
        for number, text in enumerate(textractor(str(path)))
    )
    embeddings.save(store)
    return embeddings.count()


class Search:
    def __init__(self, store):
        embeddings = Embeddings()
        embeddings.load(store)
        self.reranker = Reranker(embeddings, Similarity(os.environ["RERANKER"], crossencode=True))

    def __call__(self, question):
        return self.reranker(question, limit=5, factor=10)


serve(sys.argv, ingest, Search)
