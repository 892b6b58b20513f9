"""Answers written by OpenAI's chat models, or by any server that speaks the same protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from rag.answers.prompt import (
    DEFAULT_TEMPLATE,
    Message,
    build_messages,
    check_template,
    instructions,
    is_refusal,
)
from rag.generators.base import GeneratorSettings
from rag.parts import OpenAIConnection, Parts
from rag.services.openai import OpenAIClient, openai_errors
from rag.types import Passage, Question, Reply

if TYPE_CHECKING:
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam


class OpenAIGeneratorSettings(GeneratorSettings, OpenAIConnection, frozen=True):
    """`temperature: null` leaves it to the model: reasoning models refuse any other than their own.

    `template` is Jinja source. `stream_usage: false` is for servers that refuse `stream_options`.
    """

    follows: ClassVar[bool] = True

    kind: Literal["openai"]
    model: str = "gpt-4.1-mini"
    temperature: NonNegativeFloat | None = 0.0
    max_tokens: PositiveInt = 600
    template: str | None = None
    stream_usage: bool = True

    def most_tokens(self) -> int:
        return self.max_tokens

    def build(self, parts: Parts | None = None) -> OpenAIGenerator:
        check_template(self.template or DEFAULT_TEMPLATE)
        return OpenAIGenerator(self, self.client("generator"))


@dataclass(frozen=True, slots=True)
class _Written:
    """What came back, whole or in pieces."""

    text: str
    refusal: str
    finish: str
    usage: CompletionUsage | None


class OpenAIGenerator:
    def __init__(self, settings: OpenAIGeneratorSettings, client: OpenAIClient) -> None:
        self._settings = settings
        self._account = client.account
        self._template = settings.template or DEFAULT_TEMPLATE
        self._client = client

    @property
    def name(self) -> str:
        return f"openai:{self._settings.model}"

    def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
        messages = self._messages(question, passages)
        completion = self._client.ask(
            lambda sdk: sdk.chat.completions.create(
                model=self._settings.model,
                messages=_as_params(messages),
                extra_body=self._options(),
            )
        )
        return self._reply(self._whole(completion), messages)

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        messages = self._messages(question, passages)
        written = _Written("", "", "", None)
        chunks = self._client.ask(
            lambda sdk: sdk.chat.completions.create(
                model=self._settings.model,
                messages=_as_params(messages),
                stream=True,
                extra_body=self._options() | self._usage_option(),
            )
        )
        with chunks:
            # The caller runs between two pieces: only the reading of the next stands under our errors.
            while (chunk := self._next(chunks)) is not None:
                piece, written = _add(written, chunk)
                if piece:
                    yield piece
        yield self._reply(written, messages)

    def _messages(self, question: Question, passages: Sequence[Passage]) -> list[Message]:
        return build_messages(question.text, passages, self._template, question.doubtful)

    def _options(self) -> dict[str, object]:
        options = self._settings.answer_limit(self._settings.max_tokens)
        if self._settings.temperature is not None:
            options["temperature"] = self._settings.temperature
        return options

    def _usage_option(self) -> dict[str, object]:
        return {"stream_options": {"include_usage": True}} if self._settings.stream_usage else {}

    def _whole(self, completion: ChatCompletion) -> _Written:
        # The SDK validates nothing: a 200 of another shape arrives here as a string or full of None.
        choices = getattr(completion, "choices", None)
        message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
        if not choices or message is None:
            raise self._account.nonsense("a completion without a message")
        return _Written(
            text=message.content or "",
            refusal=message.refusal or "",
            finish=choices[0].finish_reason or "",
            usage=completion.usage,
        )

    def _next(self, chunks: openai.Stream[ChatCompletionChunk]) -> ChatCompletionChunk | None:
        with openai_errors(self._account):
            chunk = next(chunks, None)
        if chunk is not None and not isinstance(getattr(chunk, "choices", None), list):
            raise self._account.nonsense("a piece of a stream without choices")
        return chunk

    def _reply(self, written: _Written, messages: Sequence[Message]) -> Reply:
        if not written.text.strip() and not written.refusal:
            raise self._account.failure(self._why_silent(written.finish), permanent=True)
        usage = written.usage
        # Servers that do not count say 0.
        prompt_tokens = (usage.prompt_tokens or None) if usage else None
        notices = (self._cut_off(written), _context_lost(messages, prompt_tokens))
        text = written.text if written.text.strip() else written.refusal
        return Reply(
            text=text,
            refused=is_refusal(text, instructions(self._template)),
            written_by=self.name,
            finish="refusal" if written.refusal else written.finish or "unknown",
            prompt_tokens=prompt_tokens,
            completion_tokens=(usage.completion_tokens or None) if usage else None,
            notice=" ".join(filter(None, notices)),
        )

    def _why_silent(self, finish: str) -> str:
        limit = self._settings.max_tokens
        reasons = {
            "length": f"used up max_tokens={limit} before the first word; raise generator.max_tokens",
            "content_filter": "withheld the answer: its content filter stopped it; ask differently",
        }
        return reasons.get(finish, f"wrote no text (finish_reason {finish or 'missing'})")

    def _cut_off(self, written: _Written) -> str:
        if written.refusal:
            return "The model declined to answer."
        if not written.finish:
            return "The reply ended without saying why; it may be incomplete."
        notices = {
            "length": f"The answer was cut at generator.max_tokens={self._settings.max_tokens}.",
            "content_filter": "The provider's content filter cut the answer.",
        }
        return notices.get(written.finish, "")


def _as_params(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "system", "content": message.content}
        if message.role == "system"
        else {"role": "user", "content": message.content}
        for message in messages
    ]


def _add(written: _Written, chunk: ChatCompletionChunk) -> tuple[str, _Written]:
    """The text of one more piece, and all that is written with it. A last piece may hold only usage."""
    usage = chunk.usage or written.usage
    if not chunk.choices:
        return "", _Written(written.text, written.refusal, written.finish, usage)
    choice = chunk.choices[0]
    piece, refusal = choice.delta.content or "", choice.delta.refusal or ""
    finish = choice.finish_reason or written.finish
    return piece, _Written(written.text + piece, written.refusal + refusal, finish, usage)


def _context_lost(messages: Sequence[Message], prompt_tokens: int | None) -> str:
    """Some servers cut what exceeds their context and say nothing; the answer then ignores passages.

    Four characters a token is usual and eight are unheard of, so a count below half of the
    estimate means that not all was read. Runs of spaces make few tokens and do not count.
    """
    characters = sum(len(" ".join(message.content.split())) for message in messages)
    estimate = characters // 4
    if prompt_tokens is None or prompt_tokens >= estimate / 2:
        return ""
    return (
        f"The server read {prompt_tokens} tokens of a prompt of about {estimate}: it seems to have cut the "
        "context. Raise its context length or lower the number of passages."
    )
