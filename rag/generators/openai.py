"""Answers written by OpenAI's chat models, or by any server that speaks the same protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveInt, ValidationError

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
from rag.services.openai import OpenAIClient
from rag.services.validation import first_problem
from rag.shown import in_line
from rag.types import Passage, Question, Reply

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam


# Of an answer that streams, each token comes in an envelope.
_BYTES_A_PIECE = 1_000
_LONGEST_FINISH = 40

M = TypeVar("M", bound=BaseModel)


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

    def longest_reply(self) -> int:
        return self.most_bytes + self.max_tokens * _BYTES_A_PIECE

    def build(self, parts: Parts | None = None) -> OpenAIGenerator:
        check_template(self.template or DEFAULT_TEMPLATE)
        return OpenAIGenerator(self, self.client("generator"))


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Text(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Text
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


class _PieceOfChoice(BaseModel):
    delta: _Text | None = None
    finish_reason: str | None = None


class _Piece(BaseModel):
    """A last one may hold only usage."""

    choices: list[_PieceOfChoice]
    usage: _Usage | None = None


@dataclass(slots=True)
class _Written:
    """What came back, whole or in pieces."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    finish: str = ""
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def refusal(self) -> str:
        return "".join(self.refusals)

    def add(self, text: _Text, finish: str | None, usage: _Usage | None) -> None:
        self.texts.append(text.content or "")
        self.refusals.append(text.refusal or "")
        self.finish = finish or self.finish
        self.usage = usage or self.usage


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
        read = self._checked(_Completion, completion, "a completion without a message")
        written = _Written()
        written.add(read.choices[0].message, read.choices[0].finish_reason, read.usage)
        return self._reply(written, messages)

    def stream(self, question: Question, passages: Sequence[Passage]) -> Iterator[str | Reply]:
        messages = self._messages(question, passages)
        written, mask = _Written(), self._account.mask()
        pieces = self._client.stream(
            lambda sdk: sdk.chat.completions.create(
                model=self._settings.model,
                messages=_as_params(messages),
                stream=True,
                extra_body=self._options() | self._usage_option(),
            )
        )
        for chunk in pieces:
            piece = self._checked(_Piece, chunk, "a piece of a stream without choices")
            choice = piece.choices[0] if piece.choices else _PieceOfChoice()
            text = choice.delta or _Text()
            written.add(text, choice.finish_reason, piece.usage)
            if shown := mask.feed(text.content or ""):
                yield shown
        if shown := mask.rest():
            yield shown
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

    def _checked(self, kind: type[M], given: object, otherwise: str) -> M:
        """The SDK validates nothing: a 200 of another shape arrives here as a string or full of None."""
        try:
            return kind.model_validate(given, from_attributes=True)
        except ValidationError as error:
            raise self._account.nonsense(f"{otherwise} ({first_problem(error)})") from None

    def _reply(self, written: _Written, messages: Sequence[Message]) -> Reply:
        text, refusal = (self._account.masked(said) for said in (written.text, written.refusal))
        finish = in_line(self._account.masked(written.finish))[:_LONGEST_FINISH]
        if not text.strip() and not refusal:
            raise self._account.failure(self._why_silent(finish), permanent=True)
        usage = written.usage
        # Servers that do not count say 0.
        prompt_tokens = (usage.prompt_tokens or None) if usage else None
        notices = (self._cut_off(finish, refusal), _context_lost(messages, prompt_tokens))
        text = text if text.strip() else refusal
        return Reply(
            text=text,
            refused=is_refusal(text, instructions(self._template)),
            written_by=self.name,
            finish="refusal" if refusal else finish or "unknown",
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

    def _cut_off(self, finish: str, refusal: str) -> str:
        if refusal:
            return "The model declined to answer."
        if not finish:
            return "The reply ended without saying why; it may be incomplete."
        notices = {
            "length": f"The answer was cut at generator.max_tokens={self._settings.max_tokens}.",
            "content_filter": "The provider's content filter cut the answer.",
        }
        return notices.get(finish, "")


def _as_params(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "system", "content": message.content}
        if message.role == "system"
        else {"role": "user", "content": message.content}
        for message in messages
    ]


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
