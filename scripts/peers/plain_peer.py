"""The fifty lines that most people start from: pieces of 200 words, sentence-transformers, one Chroma."""

import os
import pathlib
import re
import sys

import chromadb
from peer import serve
from sentence_transformers import CrossEncoder, SentenceTransformer


def collection(store):
    return chromadb.PersistentClient(store).get_or_create_collection(
        "docs", metadata={"hnsw:space": "cosine"}
    )


def ingest(corpus, store):
    ids, docs = [], []
    for path in sorted(pathlib.Path(corpus).rglob("*")):
        if path.is_file():
            text = path.read_text("utf-8", errors="replace")
            words = (re.sub(r"<[^>]+>", " ", text) if path.suffix == ".html" else text).split()
            docs += [" ".join(words[i : i + 200]) for i in range(0, len(words), 175)]
    ids = [str(number) for number in range(len(docs))]
    vectors = SentenceTransformer(os.environ["EMBEDDER"]).encode(docs).tolist()
    for at in range(0, len(docs), 5000):
        part = slice(at, at + 5000)
        collection(store).add(ids=ids[part], documents=docs[part], embeddings=vectors[part])
    return len(docs)


class Search:
    def __init__(self, store):
        self.model = SentenceTransformer(os.environ["EMBEDDER"])
        self.reranker = CrossEncoder(os.environ["RERANKER"])
        self.collection = collection(store)

    def __call__(self, question):
        vector = self.model.encode([question]).tolist()
        docs = self.collection.query(query_embeddings=vector, n_results=50)["documents"][0]
        scores = self.reranker.predict([[question, doc] for doc in docs])
        return sorted(zip(scores, docs, strict=True), reverse=True)[:5]


serve(sys.argv, ingest, Search)
