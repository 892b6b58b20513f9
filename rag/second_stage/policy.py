"""How the second stage is run: by when, what stands in for a reranker that fails, what is kept or skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

from rag.errors import ConfigError
from rag.protocols import Reranker
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.base import Parts, RerankerSettings
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

    deadline_ms: PositiveInt | None = None
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

    def price(self, provider: str, model: str) -> Price | None:
        """The model's own line before the provider's."""
        lines = [line for line in self.prices if line.provider == provider and line.model in (model, "")]
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

    def made(settings: AnyRerankerSettings) -> Reranker:
        reranker = builder.member(settings)
        members.append(Member(reranker.card, settings))
        return reranker

    reranker = made(main)
    for stage in reversed(policy.cascade):
        reranker = Cascade(made(stage), stage.top_k, reranker)
    others = [made(settings) for settings in policy.fallback if settings != main]
    if others:
        reranker = Fallback([reranker, *others], policy.on_permanent == "fallback")
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

    def member(self, settings: AnyRerankerSettings) -> Reranker:
        policy, manner = self._policy, settings.manner()
        reranker: Reranker = Checked(settings.build(self._parts))
        if manner.host:
            if manner.provider in self._allowances:
                reranker = Paced(reranker, manner.provider, *self._allowances[manner.provider])
            if manner.retries:
                reranker = Retry(reranker, manner.retries)
            if policy.breaker:
                reranker = Breaker(reranker, manner.provider, policy.breaker, policy.breaker_s)
            if price := policy.price(manner.provider, reranker.card.model):
                reranker = Priced(reranker, price)
        in_time = policy.deadline_ms is not None and settings.kind != "none"
        # Without a deadline a local model cuts its batches itself, and better: by length.
        if manner.host or in_time:
            reranker = Batches(reranker, manner.size, manner.parallel)
        if self._store is not None and manner.cached:
            reranker = Cached(
                reranker,
                self._store,
                settings.identity(),
                partial(reading, fields=settings.fields),
                manner.listwise,
            )
        return reranker


def check_offline(sections: Sequence[tuple[str, str, str]]) -> None:
    """sections: the config's key, its kind, and the host that it would talk to, if any."""
    for key, kind, host in sections:
        if host:
            raise ConfigError(
                f"network.offline is true, but {key} {kind} would talk to {host}: "
                "choose a local kind or set network.offline to false"
            )
