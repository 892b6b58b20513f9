"""Chroma, three ways: embedded in this process, a server, the cloud."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from weakref import finalize

import numpy as np
from pydantic import Field, SecretStr

from rag.errors import InputError
from rag.filters import Where, canonical, filed, typed_forms
from rag.parts import Seconds
from rag.protocols import Passages
from rag.services.account import NO_KEY, Account, KeyPlaces, Variable, open_account
from rag.stores.base import StoreSettings
from rag.stores.chroma_folder import Folder, quiet
from rag.stores.chroma_service import Service, open_client
from rag.stores.embedded import EmbeddedStore
from rag.types import Chunk, Floats, Hit, Scalar

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

# Chroma's defaults lose several per cent of the true top 50 in large indexes and, after many replacements,
# passages altogether; a denser graph than this finds no more, at twice the work for each one added.
HNSW: Any = {"space": "cosine", "ef_construction": 128, "max_neighbors": 24, "ef_search": 200}
_BATCH = 1000
Port = Annotated[int, Field(gt=0, lt=65_536)]
# A filter of some thousand conditions ends the process that Chroma runs in; one of six hundred values is
# refused as too deep.
_MOST_CONDITIONS = 300
_MOST_PARTS = 256
_CLOUD_HOST = "api.trychroma.com"


class _ChromaSettings(StoreSettings, frozen=True):
    """documents: keep the passages' text in Chroma too, for its other clients; an add then takes twice as
    long."""

    collection: str = "rag"
    documents: bool = False

    def beside(self, folder: Path) -> EmbeddedStoreSettings:
        """Never at a server: the copy has the name of the index that it was made of, and would replace it."""
        return EmbeddedStoreSettings(path=folder)


class EmbeddedStoreSettings(_ChromaSettings, frozen=True):
    inside: ClassVar[tuple[str, ...]] = ("chroma", "vectors")

    kind: Literal["embedded"] = "embedded"

    def build(self) -> EmbeddedStore:
        folder = self.path.absolute()
        place = Folder(folder / "chroma")

        def counted(family: str, generation: int) -> int:
            return place.count(_collection(self.collection, family, generation))

        chroma = ChromaStore(self.collection, place, self.documents)
        return EmbeddedStore(folder / "vectors", chroma, counted)


class ServerStoreSettings(_ChromaSettings, frozen=True):
    kind: Literal["server"]
    host: str = "127.0.0.1"
    port: Port = 8000
    ssl: bool = False
    token: SecretStr | None = None
    timeout_s: Seconds = 60.0

    def sends_to(self) -> str:
        return f"{self.host}:{self.port}"

    def build(self) -> ChromaStore:
        account = Account(f"the server at {self.sends_to()}", self.token or SecretStr(NO_KEY), "")
        remedy = (
            "Look at store.host and store.port, at the token in RAG_STORE__TOKEN, and, where it is slow, at "
            "store.timeout_s"
        )
        service = Service(self._connect, account, self.timeout_s, remedy)
        return ChromaStore(self.collection, service, self.documents)

    def _connect(self) -> ClientAPI:
        from chromadb.config import DEFAULT_DATABASE, DEFAULT_TENANT

        settings = quiet()
        settings.chroma_server_host = self.host
        settings.chroma_server_http_port = self.port
        settings.chroma_server_ssl_enabled = self.ssl
        settings.chroma_server_headers = (
            {"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}
        )
        return open_client(settings, DEFAULT_TENANT, DEFAULT_DATABASE)


class CloudStoreSettings(_ChromaSettings, frozen=True):
    kind: Literal["cloud"]
    tenant: str
    database: str
    api_key: SecretStr | None = None
    key_env: Variable | None = None
    timeout_s: Seconds = 60.0

    def sends_to(self) -> str:
        return "Chroma Cloud"

    def build(self) -> ChromaStore:
        places = KeyPlaces(self.api_key, "store", self.key_env, ("CHROMA_API_KEY",))
        account = open_account("Chroma Cloud", places)
        remedy = f"Look at store.tenant and store.database, and at the key in {account.names}"
        service = Service(lambda: self._connect(account), account, self.timeout_s, remedy)
        return ChromaStore(self.collection, service, self.documents)

    def _connect(self, account: Account) -> ClientAPI:
        from chromadb.auth.token_authn import TokenTransportHeader

        settings = quiet()
        settings.chroma_server_host = _CLOUD_HOST
        settings.chroma_server_http_port = 443
        settings.chroma_server_ssl_enabled = True
        settings.chroma_client_auth_provider = "chromadb.auth.token_authn.TokenAuthClientProvider"
        settings.chroma_client_auth_credentials = account.key.get_secret_value()
        settings.chroma_auth_token_transport_header = TokenTransportHeader.X_CHROMA_TOKEN
        settings.chroma_overwrite_singleton_tenant_database_access_from_auth = True
        return open_client(settings, self.tenant, self.database)


class ChromaStore:
    """Generations of the dense index, each a collection `<name>-<family>-<generation>`."""

    def __init__(self, name: str, place: Folder | Service, documents: bool) -> None:
        self._name = name
        self._place = place
        self._documents = documents

    def open(self, family: str, generation: int, passages: Passages | None = None) -> ChromaIndex:
        """The index as it is now: what other processes write later, only another opening shows."""
        with self._place.told("open the collection"):
            client = self._place.connect()
            # embedding_function=None: Chroma's own would download a model and disagree with ours.
            collection = client.get_or_create_collection(
                _collection(self._name, family, generation),
                embedding_function=None,
                configuration={"hnsw": HNSW},
                metadata={"made_by": "rag"},
            )
            batch = max(min(_BATCH, client.get_max_batch_size()), 1)
            index = ChromaIndex(collection, batch, self._place, self._documents)
        # What a client holds in memory goes when the last one who reads this index lets go of it.
        finalize(index, self._place.close, client).atexit = False
        return index

    def drop_all_but(self, family: str, generation: int) -> None:
        ours = f"{self._name}-{family}-"
        with self._place.told("drop old collections"):
            client = self._place.connect()
            for name in [collection.name for collection in client.list_collections()]:
                if name.startswith(ours) and name != f"{ours}{generation}":
                    client.delete_collection(name)
            self._place.close(client)

    def check(self, family: str, generation: int) -> None:
        self._place.check()

    def settle(self) -> None:
        self._place.settle()

    def set_aside(self) -> None:
        self._place.set_aside()


def _collection(name: str, family: str, generation: int) -> str:
    return f"{name}-{family}-{generation}"


class ChromaIndex:
    def __init__(self, collection: Collection, batch: int, place: Folder | Service, documents: bool) -> None:
        self._collection = collection
        self._batch = batch
        self._place = place
        self._documents = documents

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        """An id stands for one text and vector; what is new about its metadata replaces what was there."""
        for at in range(0, len(chunks), self._batch):
            part = slice(at, at + self._batch)
            with self._place.told("write"):
                self._add(chunks[part], vectors[part])

    def _add(self, chunks: Sequence[Chunk], vectors: Sequence[Floats]) -> None:
        # Never over an entry that stands: hnswlib's update of one can leave others out of reach,
        # and Chroma's keeps metadata keys that are gone.
        held = self._held([chunk.id for chunk in chunks])
        rows = [(c, v, _metadata(c)) for c, v in zip(chunks, vectors, strict=True)]
        rows = [row for row in rows if held.get(row[0].id) != row[2]]
        if replaced := [chunk.id for chunk, *_ in rows if chunk.id in held]:
            self._collection.delete(ids=replaced)
        if rows:
            self._collection.add(
                ids=[chunk.id for chunk, *_ in rows],
                embeddings=np.stack([vector for _, vector, _ in rows]),
                documents=[chunk.text for chunk, *_ in rows] if self._documents else None,
                metadatas=[metadata for *_, metadata in rows],
            )

    def _held(self, ids: list[str]) -> dict[str, Any]:
        found = self._collection.get(ids=ids, include=["metadatas"])
        return dict(zip(found["ids"], found["metadatas"] or (), strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), self._batch):
            with self._place.told("delete"):
                self._collection.delete(ids=list(ids[at : at + self._batch]))

    def search(self, vector: Floats, n: int, where: Where | None = None) -> list[Hit]:
        """The nearest n by cosine, nearest first."""
        if n < 1:
            return []
        hits = {hit.id: hit for part in _parts(where) for hit in self._nearest(vector, n, part)}
        return sorted(hits.values(), key=lambda hit: -hit.score)[:n]

    def _nearest(self, vector: Floats, n: int, where: Any) -> list[Hit]:
        with self._place.told("search"):
            found = self._collection.query(
                query_embeddings=vector[np.newaxis], n_results=n, where=where, include=["distances"]
            )
            # Read here too: a server's reply need not be what a search finds.
            ids, distances = found["ids"][0], (found["distances"] or [[]])[0]
            return [_hit(id_, d) for id_, d in zip(ids, distances, strict=True)]

    def count(self) -> int:
        with self._place.told("count"):
            return int(self._collection.count())

    def held(self) -> dict[str, int]:
        return {"Chroma": self.count()}


def _hit(id_: str, distance: float) -> Hit:
    if not math.isfinite(distance):
        raise ValueError(f"the distance of {id_!r} is {distance}")
    return Hit(str(id_), 1.0 - float(distance))


def _metadata(chunk: Chunk) -> dict[str, Any]:
    """Readable for other clients of the same collection, and what `where` filters on."""
    own: dict[str, Any] = {
        "document_id": chunk.document_id,
        "headings": " > ".join(chunk.headings),
        "chunk_start": chunk.start,
        "chunk_end": chunk.end,
    }
    return {**{key: _value(value) for key, value in filed(chunk).items() if value != ()}, **own}


def _value(value: Scalar | tuple[Scalar, ...]) -> Any:
    if not isinstance(value, tuple):
        return value
    # Chroma's lists hold one type.
    return list(value) if len({type(item) for item in value}) == 1 else [canonical(item) for item in value]


def _parts(where: Where | None) -> list[Any]:
    """The filter as Chroma takes it, in several where it has too many values for one."""
    if where is None:
        return [None]
    most = max(_MOST_CONDITIONS // len(where.clauses), 1)
    cut = [_cut(_conditions(key, values), most) for key, values in where.clauses]
    if math.prod(map(len, cut)) > _MOST_PARTS:
        held = ", ".join(f"{key!r} {len(values)}" for key, values in where.clauses)
        raise InputError(
            f"a filter of so many values ({held}) would take more than {_MOST_PARTS} searches in Chroma: "
            "name fewer values, or a key that stands for many of them"
        )
    parts = [[{"$or": some} for some in chosen] for chosen in product(*cut)]
    return [part[0] if len(part) == 1 else {"$and": part} for part in parts]


def _cut(conditions: list[Any], most: int) -> list[list[Any]]:
    return [conditions[at : at + most] for at in range(0, len(conditions), most)]


def _conditions(key: str, values: Sequence[str]) -> list[Any]:
    """The key is one of the values, or a list that holds one of them."""
    forms = [form for value in values for form in typed_forms(value)]
    return [{key: {op: form}} for form in forms for op in ("$eq", "$contains")]
