"""How the second stage is run: by when, what stands in for a reranker that fails, what is kept or skipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from rag.parts import HostedModel, Parts
from rag.protocols import Reranker
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.base import RerankerSettings
from rag.rerankers.fields import reading
from rag.rerankers.hosted import HostedSettings
from rag.rerankers.none import NoneSettings
from rag.second_stage.guards.breaker import Breaker
from rag.second_stage.guards.cache import Cached
from rag.second_stage.guards.cascade import Cascade
from rag.second_stage.guards.checked import Checked
from rag.second_stage.guards.deadline import Batches, Deadline
from rag.second_stage.guards.fallback import Fallback
from rag.second_stage.guards.pace import Allowance, Paced
from rag.second_stage.guards.price import Price, Priced
from rag.second_stage.guards.retry import Retry
from rag.second_stage.guards.skip import Skip
from rag.second_stage.score_store import open_store
from rag.types import RerankerCard


def _as_section(value: Any) -> Any:
    """`cross-encoder` is short for `{kind: cross-encoder}`."""
    return {"kind": value} if isinstance(value, str) else value


OtherReranker = Annotated[AnyRerankerSettings, BeforeValidator(_as_section)]


class SkipWhen(BaseModel, frozen=True, extra="forbid"):
    """No reranking of so few candidates, or where the first one's cosine leads by so much."""

    candidates: NonNegativeInt | None = None
    margin: NonNegativeFloat | None = None


def _hosted_kinds() -> list[type[HostedSettings]]:
    union, *_ = get_args(AnyRerankerSettings)
    return [kind for kind in get_args(union) if issubclass(kind, HostedSettings)]


def _known_provider(name: str) -> str:
    """A misspelt one would be no limit at all."""
    known = sorted({kind.provider.lower() for kind in _hosted_kinds()})
    if name not in known:
        raise ValueError(f"there is no provider {name!r}: there are {', '.join(known)}")
    return name


Provider = Annotated[str, AfterValidator(_known_provider)]


class PriceSettings(BaseModel, frozen=True, extra="forbid"):
    """Of one billed unit and of a million tokens, in any currency. `model` empty: all the provider's."""

    provider: Provider
    model: str = ""
    unit: NonNegativeFloat = 0.0
    million_tokens: NonNegativeFloat = 0.0


class LimitSettings(BaseModel, frozen=True, extra="forbid"):
    """What a provider allows a minute."""

    provider: Provider
    requests: PositiveInt | None = None
    tokens: PositiveInt | None = None


class PolicySettings(BaseModel, frozen=True, extra="forbid"):
    """fallback: rerankers that stand in, in this order. cascade: rerankers that read before `reranker`
    and pass their `top_k` best on. breaker: failures in a row after which a service is left alone for
    `breaker_s` seconds; 0 never does."""

    deadline_ms: Annotated[int, Field(gt=0, le=86_400_000)] | None = None
    fallback: tuple[OtherReranker, ...] = (NoneSettings(kind="none"),)
    on_permanent: Literal["raise", "fallback"] = "raise"
    cascade: tuple[OtherReranker, ...] = ()
    skip_when: SkipWhen | None = None
    breaker: NonNegativeInt = 5
    breaker_s: PositiveFloat = 30.0
    cache: bool = False
    cache_bytes: Annotated[int, Field(ge=1_000_000)] = 100_000_000
    prices: tuple[PriceSettings, ...] = ()
    limits: tuple[LimitSettings, ...] = ()

    @model_validator(mode="after")
    def _cascade_says_how_many(self) -> PolicySettings:
        for settings in self.cascade:
            if "top_k" not in settings.model_fields_set:
                raise ValueError(f"cascade: {settings.kind} needs top_k, the number that it passes on")
        return self

    def price(self, model: HostedModel | None) -> Price | None:
        """The model's own line before the provider's."""
        if model is None:
            return None
        named = [line for line in self.prices if line.provider == model.provider]
        lines = [line for line in named if line.model in (model.name, "")]
        found = min(lines, key=lambda line: not line.model, default=None)
        return Price(found.unit, found.million_tokens) if found else None


@dataclass(frozen=True, slots=True)
class Member:
    """One reranker of the stage: whose calibration and threshold hold where it has scored."""

    card: RerankerCard
    settings: RerankerSettings


@dataclass(frozen=True, slots=True)
class SecondStage:
    """`members`: the configured reranker first."""

    reranker: Reranker
    members: tuple[Member, ...]


def build_second_stage(
    main: AnyRerankerSettings, policy: PolicySettings, parts: Parts, folder: Path
) -> SecondStage:
    """All rerankers are built now: a stand-in that cannot be loaded must not show at the first failure."""
    builder = _Builder(policy, parts, folder)
    members: list[Member] = []

    def make(settings: AnyRerankerSettings, place: str) -> Reranker:
        reranker = builder.member(settings, place)
        members.append(Member(reranker.card, settings))
        return reranker

    reranker = make(main, "reranker")
    for i, stage in reversed([*enumerate(policy.cascade)]):
        reranker = Cascade(make(stage, f"policy.cascade[{i}]"), stage.top_k, reranker)
    standing_in = [
        make(other, f"policy.fallback[{i}]") for i, other in enumerate(policy.fallback) if other != main
    ]
    if standing_in:
        reranker = Fallback([reranker, *standing_in], policy.on_permanent == "fallback")
    if policy.deadline_ms is not None:
        reranker = Deadline(reranker, policy.deadline_ms)
    if policy.skip_when is not None:
        reranker = Skip(reranker, policy.skip_when.candidates, policy.skip_when.margin)
    return SecondStage(reranker, tuple(members))


class _Builder:
    """A reranker with what guards it alone; what is a provider's is shared by all that ask it."""

    def __init__(self, policy: PolicySettings, parts: Parts, folder: Path) -> None:
        self._policy = policy
        self._parts = parts
        self._store = open_store(folder, policy.cache_bytes) if policy.cache else None
        self._allowances = {
            limit.provider: (
                Allowance(limit.requests) if limit.requests else None,
                Allowance(limit.tokens) if limit.tokens else None,
            )
            for limit in policy.limits
        }

    def member(self, settings: AnyRerankerSettings, place: str) -> Reranker:
        policy, style, model = self._policy, settings.call_style(), settings.hosted_model()
        reranker: Reranker = Checked(settings.build(replace(self._parts, place=place)))
        if model:
            if model.provider in self._allowances:
                reranker = Paced(reranker, model.provider, *self._allowances[model.provider])
            if style.retries:
                reranker = Retry(reranker, style.retries)
            if policy.breaker:
                reranker = Breaker(reranker, model.provider, policy.breaker, policy.breaker_s)
            if price := policy.price(model):
                reranker = Priced(reranker, price)
        in_time = policy.deadline_ms is not None and settings.reads
        # Without a deadline a local model cuts its batches itself, and better: by length.
        if model or in_time:
            reranker = Batches(reranker, style.size, style.parallel)
        if self._store is not None and style.cached:
            reranker = Cached(
                reranker,
                self._store,
                settings.identity(),
                partial(reading, fields=settings.fields),
                style.listwise,
            )
        return reranker
