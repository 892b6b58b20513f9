"""OpenAI's `/v1/chat/completions` and `/v1/embeddings`: what they take, refuse, and answer."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from starlette.responses import JSONResponse, Response, StreamingResponse

from support.servers.loopback import Json, Loopback, Refused, only_known

DIMENSION = 8
_LENGTHS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
_CHAT_FIELDS = (
    "model",
    "messages",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
)
_EMBEDDING_FIELDS = ("model", "input", "encoding_format", "dimensions", "user")
_PASSAGE = re.compile(r"<(passage-\w+)>\n\[1\][^\n]*\n\n(.*?)\n</\1>", re.DOTALL)


@dataclass(frozen=True)
class Say:
    """A scripted completion. `usage` None counts what was sent; `ends` False stops a stream midway."""

    content: str | None = None
    finish: str | None = "stop"
    refusal: str | None = None
    prompt_tokens: int | None = None
    with_usage: bool = True
    ends: bool = True
    error: Json | None = None


class OpenAIServer(Loopback):
    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def paths(self) -> Sequence[str]:
        return ["/v1/chat/completions", "/v1/embeddings"]

    def error(self, refused: Refused) -> object:
        return {
            "error": {
                "message": refused.message,
                "type": "invalid_request_error",
                "param": None,
                "code": refused.code,
            }
        }

    def wrong_key(self, given: str) -> Refused:
        masked = f"{given[:3]}***{given[-4:]}"
        return Refused(401, f"Incorrect API key provided: {masked}.", "invalid_api_key")

    def respond(self, path: str, body: Json, planned: object) -> Response:
        if path.endswith("/embeddings"):
            return _embeddings(body)
        return _chat(body, planned if isinstance(planned, Say) else None)


# --- chat ----------------------------------------------------------------------------------


def _chat(body: Json, planned: Say | None) -> Response:
    only_known(body, _CHAT_FIELDS, 400)
    _check_messages(body.get("messages"))
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refused(400, "max_tokens and max_completion_tokens cannot both be set")
    if "stream_options" in body and not body.get("stream"):
        raise Refused(400, "stream_options needs stream")
    say = planned or Say(_quote_first_passage(body["messages"]))
    if body.get("stream"):
        return StreamingResponse(_events(body, say), media_type="text/event-stream")
    message = {"role": "assistant", "content": say.content, "refusal": say.refusal}
    choice = {"index": 0, "message": message, "finish_reason": say.finish, "logprobs": None}
    usage = {"usage": _usage(body, say)} if say.with_usage else {}
    return JSONResponse(_envelope(body, "chat.completion") | {"choices": [choice]} | usage)


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages must be a non-empty array")
    for message in messages:
        if set(message) != {"role", "content"} or message["role"] not in ("system", "user", "assistant"):
            raise Refused(400, "each message needs a role and content")
        if not isinstance(message["content"], str) or not message["content"]:
            raise Refused(400, "content must be a non-empty string")


def _quote_first_passage(messages: Sequence[Json]) -> str:
    passage = _PASSAGE.search(messages[-1]["content"])
    return f"“{passage[2].strip().splitlines()[0]}” [1]" if passage else "Nothing to quote."


def _envelope(body: Json, kind: str) -> Json:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _usage(body: Json, say: Say) -> Json:
    counted = sum(len(message["content"]) for message in body["messages"]) // 4
    prompt = counted if say.prompt_tokens is None else say.prompt_tokens
    completion = len(say.content or "") // 4 + 1
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _events(body: Json, say: Say) -> Iterator[str]:
    envelope = _envelope(body, "chat.completion.chunk")
    for delta in [{"role": "assistant"}, *({"content": piece} for piece in _pieces(say.content))]:
        yield _event(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    if say.refusal:
        yield _event(
            envelope | {"choices": [{"index": 0, "delta": {"refusal": say.refusal}, "finish_reason": None}]}
        )
    if say.error:
        yield _event({"error": say.error})
    if not say.ends:
        return
    yield _event(envelope | {"choices": [{"index": 0, "delta": {}, "finish_reason": say.finish}]})
    if say.with_usage and body.get("stream_options", {}).get("include_usage"):
        yield _event(envelope | {"choices": [], "usage": _usage(body, say)})
    yield "data: [DONE]\n\n"


def _pieces(content: str | None) -> list[str]:
    return re.findall(r"\s*\S+\s*", content or "")


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"


# --- embeddings ----------------------------------------------------------------------------


def _embeddings(body: Json) -> Response:
    only_known(body, _EMBEDDING_FIELDS, 400)
    texts = _inputs(body.get("input"))
    length = body.get("dimensions") or _LENGTHS.get(body["model"], DIMENSION)
    vectors = [embedding(text, length) for text in texts]
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, body.get("encoding_format"))}
        for index, vector in enumerate(vectors)
    ]
    # Nobody promises an order.
    return JSONResponse(
        {
            "object": "list",
            "data": data[::-1],
            "model": body["model"],
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }
    )


def _inputs(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "input must be a string or a non-empty array of strings")
    if len(texts) > 2048:
        raise Refused(400, "input array must be 2048 items or less")
    if not all(texts):
        raise Refused(400, "input cannot be an empty string")
    if any(tokens(text) > 8192 for text in texts):
        raise Refused(400, "maximum context length is 8192 tokens", "context_length_exceeded")
    if sum(map(tokens, texts)) > 300_000:
        raise Refused(400, "requested more than max 300000 tokens per request", "max_tokens_per_request")
    return texts


def tokens(text: str) -> int:
    """More than prose has, as dense text would."""
    return len(text.encode()) // 3


def embedding(text: str, length: int) -> list[float]:
    """The text's own vector, not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return [float(value) for value in np.random.default_rng(seed).normal(size=length).astype("<f4") * 3]


def _encoded(vector: list[float], form: str | None) -> object:
    if form == "base64":
        return base64.b64encode(np.array(vector, dtype="<f4").tobytes()).decode()
    return vector
