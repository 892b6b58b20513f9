"""LangChain as its documentation shows it: loaders, recursive splitter, Chroma, contextual compression."""

import os
import sys

from langchain_chroma import Chroma
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from langchain_community.cross_encoders import HuggingFaceCrossEncoder
from langchain_community.document_loaders import BSHTMLLoader, DirectoryLoader, TextLoader
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from peer import serve


def vector_store(store):
    embeddings = HuggingFaceEmbeddings(model_name=os.environ["EMBEDDER"])
    return Chroma(collection_name="docs", embedding_function=embeddings, persist_directory=store)


def ingest(corpus, store):
    docs = []
    for glob in ("**/*.txt", "**/*.md", "**/*.rst"):
        docs += DirectoryLoader(corpus, glob=glob, loader_cls=TextLoader).load()
    docs += DirectoryLoader(corpus, glob="**/*.html", loader_cls=BSHTMLLoader).load()
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=120, add_start_index=True)
    splits = splitter.split_documents(docs)
    vector_store(store).add_documents(documents=splits)
    return len(splits)


class Search:
    def __init__(self, store):
        model = HuggingFaceCrossEncoder(model_name=os.environ["RERANKER"])
        self.pipe = ContextualCompressionRetriever(
            base_compressor=CrossEncoderReranker(model=model, top_n=5),
            base_retriever=vector_store(store).as_retriever(search_kwargs={"k": 50}),
        )

    def __call__(self, question):
        return self.pipe.invoke(question)


serve(sys.argv, ingest, Search)
