"""Cohere's `POST /v2/rerank`: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from support.servers.loopback import Json, Loopback, Refused, only_known

_FIELDS = ("model", "query", "documents", "top_n", "max_tokens_per_doc", "priority")
_MOST_DOCUMENTS = 1000
_DOCUMENTS_A_UNIT = 100


class CohereServer(Loopback):
    @property
    def paths(self) -> Sequence[str]:
        return ["/v2/rerank"]

    def error(self, refused: Refused) -> object:
        return {"id": "a1b2", "message": refused.message}

    def wrong_key(self, given: str) -> Refused:
        return Refused(401, "invalid api token")

    def respond(self, path: str, body: Json, planned: object) -> Response:
        only_known(body, _FIELDS, 422)
        documents = body.get("documents")
        _check(body, documents)
        scores = [overlap(body["query"], document) for document in documents or ()]
        ranked = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.get("top_n")]
        units = -(-len(scores) // _DOCUMENTS_A_UNIT)
        return JSONResponse(
            {
                "id": "a1b2",
                "results": [{"index": index, "relevance_score": scores[index]} for index in ranked],
                "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": units}},
            }
        )


def _check(body: Json, documents: object) -> None:
    if not isinstance(body.get("model"), str):
        raise Refused(400, "invalid request: model is required")
    if not isinstance(body.get("query"), str) or not body["query"].strip():
        raise Refused(400, "invalid request: query must not be empty")
    if not isinstance(documents, list) or not documents:
        raise Refused(400, "invalid request: list of documents must not be empty")
    if not all(isinstance(document, str) for document in documents):
        raise Refused(422, "invalid type: documents must be strings")
    if len(documents) > _MOST_DOCUMENTS:
        raise Refused(400, f"invalid request: more than {_MOST_DOCUMENTS} documents")


def overlap(query: str, document: str) -> float:
    """The share of the query's words that the document holds."""
    words = set(re.findall(r"\w+", query.casefold()))
    return len(words & set(re.findall(r"\w+", document.casefold()))) / len(words) if words else 0.0
