"""Chroma, three ways: embedded in this process, a server, the cloud."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, PositiveInt, SecretStr

from rag.errors import ConfigError, StoreError
from rag.filters import Where, typed_forms
from rag.types import Chunk, Floats, Hit, Scalar

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

# Chroma's defaults lose 10% of the true top 50 at 100,000 chunks.
_HNSW: Any = {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 200}


class _ChromaSettings(BaseModel, frozen=True, extra="forbid"):
    """`path` is the index folder: the catalog and the lexical index always live in it."""

    path: Path = Path(".rag")
    collection: str = "rag"


class EmbeddedStoreSettings(_ChromaSettings, frozen=True):
    kind: Literal["embedded"] = "embedded"

    def build(self) -> ChromaStore:
        return ChromaStore(self.collection, self._connect)

    def _connect(self) -> ClientAPI:
        import chromadb  # 0.5 s that `rag --help` need not pay

        return chromadb.PersistentClient(str(self.path / "chroma"), settings=_quiet())


class ServerStoreSettings(_ChromaSettings, frozen=True):
    kind: Literal["server"]
    host: str = "127.0.0.1"
    port: PositiveInt = 8000
    ssl: bool = False
    token: SecretStr | None = None

    def build(self) -> ChromaStore:
        return ChromaStore(self.collection, self._connect)

    def _connect(self) -> ClientAPI:
        import chromadb

        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}
        return chromadb.HttpClient(self.host, self.port, self.ssl, headers=headers, settings=_quiet())


class CloudStoreSettings(_ChromaSettings, frozen=True):
    kind: Literal["cloud"]
    tenant: str
    database: str
    api_key: SecretStr | None = None

    def build(self) -> ChromaStore:
        key = self.api_key.get_secret_value() if self.api_key else os.environ.get("CHROMA_API_KEY", "")
        if not key:
            raise ConfigError("store.kind cloud needs a key: set CHROMA_API_KEY or RAG_STORE__API_KEY")
        return ChromaStore(self.collection, lambda: self._connect(key))

    def _connect(self, key: str) -> ClientAPI:
        import chromadb

        return chromadb.CloudClient(self.tenant, self.database, key, settings=_quiet())


class ChromaStore:
    """Generations of the dense index, each a collection `<name>-<family>-<generation>`."""

    def __init__(self, name: str, connect: Callable[[], ClientAPI]) -> None:
        self._name = name
        self._connect = connect

    def open(self, family: str, generation: int) -> ChromaIndex:
        with _translated("open the collection"):
            # embedding_function=None: Chroma's own would download a model and disagree with ours.
            collection = self._client.get_or_create_collection(
                f"{self._name}-{family}-{generation}",
                embedding_function=None,
                configuration={"hnsw": _HNSW},
                metadata={"made_by": "rag"},
            )
            return ChromaIndex(collection, self._client.get_max_batch_size())

    def drop_all_but(self, family: str, generation: int) -> None:
        ours = f"{self._name}-{family}-"
        with _translated("drop old collections"):
            for name in self._names():
                if name.startswith(ours) and name != f"{ours}{generation}":
                    self._client.delete_collection(name)

    def _names(self) -> list[str]:
        return [collection.name for collection in self._client.list_collections()]

    @cached_property
    def _client(self) -> ClientAPI:
        with _translated("connect"):
            return self._connect()


class ChromaIndex:
    def __init__(self, collection: Collection, batch: int) -> None:
        self._collection = collection
        self._batch = batch

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        """Replaces chunks of the same id."""
        for at in range(0, len(chunks), self._batch):
            part = chunks[at : at + self._batch]
            with _translated("write"):
                self._collection.upsert(
                    ids=[chunk.id for chunk in part],
                    embeddings=np.stack(vectors[at : at + self._batch]),
                    documents=[chunk.text for chunk in part],
                    metadatas=[_metadata(chunk) for chunk in part],
                )

    def delete(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), self._batch):
            with _translated("delete"):
                self._collection.delete(ids=list(ids[at : at + self._batch]))

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        """The nearest n by cosine, nearest first."""
        if n < 1:
            return []
        with _translated("search"):
            found = self._collection.query(
                query_embeddings=vector[np.newaxis], n_results=n, where=_where(where), include=["distances"]
            )
        ids, distances = found["ids"][0], (found["distances"] or [[]])[0]
        return [Hit(id_, 1.0 - float(d)) for id_, d in zip(ids, distances, strict=True)]

    def count(self) -> int:
        with _translated("count"):
            return self._collection.count()


def _metadata(chunk: Chunk) -> dict[str, Any]:
    """Readable for other clients of the same collection, and what `where` filters on."""
    own: dict[str, Any] = {
        "source": chunk.source,
        "document_id": chunk.document_id,
        "headings": " > ".join(chunk.headings),
        "start": chunk.start,
        "end": chunk.end,
    }
    page = {} if chunk.page is None else {"page": chunk.page}
    return {**{k: _value(v) for k, v in chunk.metadata.items() if v != ()}, **page, **own}


def _value(value: Scalar | tuple[Scalar, ...]) -> Any:
    if not isinstance(value, tuple):
        return value
    # Chroma's lists hold one type.
    return list(value) if len({type(item) for item in value}) == 1 else [str(item) for item in value]


def _where(where: Where | None) -> Any:
    if where is None:
        return None
    clauses = [_either(key, values) for key, values in where.clauses]
    return clauses[0] if len(clauses) == 1 else {"$and": clauses}


def _either(key: str, values: Sequence[str]) -> dict[str, Any]:
    """The key is one of the values, or a list that holds one of them."""
    forms = [form for value in values for form in typed_forms(value)]
    return {"$or": [{key: {op: form}} for form in forms for op in ("$eq", "$contains")]}


def _quiet() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    from chromadb.errors import ChromaError

    try:
        yield
    # ValueError is what the client raises when a server cannot be reached; OSError when a folder cannot.
    except (ChromaError, ValueError, OSError) as error:
        raise StoreError(f"Chroma could not {doing}: {error}") from error
