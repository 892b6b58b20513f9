"""What reaches the prompt, and for each passage that does not, the one reason why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag.errors import InputError
from rag.types import Dropped, Passage, RerankerCard, Selection

Order = Literal["relevance", "document", "edges"]


@dataclass(frozen=True, slots=True)
class Rule:
    """threshold: least relevance. ratio: least share of the best relevance. duplicates: share of
    common word triples from which a passage repeats a better one. budget: tokens of the prompt.
    thresholds: of the rerankers that may stand in for the one that `threshold` belongs to."""

    top_k: int = 5
    threshold: float = 0.0
    ratio: float | None = None
    duplicates: float | None = 0.9
    budget: int = 3000
    order: Order = "relevance"
    thresholds: tuple[tuple[RerankerCard, float], ...] = ()

    def changed(self, top_k: int | None, threshold: float | None) -> Rule:
        """For one question. Its threshold holds whoever scores."""
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k {top_k}: at least 1 passage")
        if threshold is not None and not 0 <= threshold <= 1:
            raise InputError(f"threshold {threshold}: a relevance from 0 to 1")
        rule = self if top_k is None else replace(self, top_k=top_k)
        return rule if threshold is None else replace(rule, threshold=threshold, thresholds=())


def select(passages: Sequence[Passage], rule: Rule) -> Selection:
    """Goes down the ranking once; a passage is dropped by the first rule that it breaks."""
    kept: list[Passage] = []
    dropped: list[Dropped] = []
    best = max((passage.relevance for passage in passages), default=0.0)
    for passage in passages:
        if rule.duplicates is not None and (at := _place_of_copy(passage, kept)) is not None:
            kept[at] = _with_source(kept[at], passage)
            dropped.append(Dropped(passage, _repeating(kept[at])))
        elif reason := _reason_against(passage, kept, best, rule):
            dropped.append(Dropped(passage, reason))
        else:
            kept.append(passage)
    return Selection(tuple(arrange(kept, rule.order)), tuple(dropped))


def _place_of_copy(passage: Passage, kept: Sequence[Passage]) -> int | None:
    words = passage.chunk.text.split()
    return next((at for at, other in enumerate(kept) if other.chunk.text.split() == words), None)


def _repeating(other: Passage) -> str:
    return f"repeats the passage of rank {other.rank} ({other.chunk.source})"


def _with_source(passage: Passage, copy: Passage) -> Passage:
    """The passage, which knows that it stands in another place as well."""
    sources = dict.fromkeys([*passage.candidate.also, copy.chunk.source, *copy.candidate.also])
    also = tuple(source for source in sources if source != passage.chunk.source)
    return replace(passage, candidate=replace(passage.candidate, also=also))


def arrange(passages: Sequence[Passage], order: Order) -> list[Passage]:
    """Passages come best first; `edges` puts the best first and last, where models read best."""
    if order == "document":
        return sorted(passages, key=lambda p: (p.chunk.source, p.chunk.start))
    if order == "edges":
        return [*passages[::2], *reversed(passages[1::2])]
    return list(passages)


def estimate_tokens(text: str) -> int:
    """Four bytes a token: the generator's own tokenizer is not known here."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def _reason_against(passage: Passage, kept: Sequence[Passage], best: float, rule: Rule) -> str:
    threshold = next((t for scorer, t in rule.thresholds if scorer == passage.scorer), rule.threshold)
    if reason := _reason_by_relevance(passage.relevance, len(kept), best, threshold, rule):
        return reason
    if rule.duplicates is not None and (twin := _twin(passage, kept, rule.duplicates)):
        return _repeating(twin)
    if kept and _tokens([*kept, passage]) > rule.budget:
        return f"over the prompt's budget of {rule.budget} tokens"
    return ""


def keep_by_relevance(relevances: Sequence[float], rule: Rule) -> list[int]:
    """The places that `select` keeps where no passage repeats another and the budget holds all.
    `relevances`: best first."""
    kept: list[int] = []
    best = max(relevances, default=0.0)
    for place, relevance in enumerate(relevances):
        if not _reason_by_relevance(relevance, len(kept), best, rule.threshold, rule):
            kept.append(place)
    return kept


def _reason_by_relevance(relevance: float, kept: int, best: float, threshold: float, rule: Rule) -> str:
    if relevance < threshold:
        return f"relevance {relevance:.3f} is below the threshold {threshold:.3f}"
    if rule.ratio is not None and relevance < rule.ratio * best:
        return f"relevance {relevance:.3f} is below {rule.ratio:g} of the best ({best:.3f})"
    return f"beyond top_k {rule.top_k}" if kept >= rule.top_k else ""


def _tokens(passages: Iterable[Passage]) -> int:
    return sum(estimate_tokens(passage.chunk.reading) for passage in passages)


def _twin(passage: Passage, kept: Sequence[Passage], least: float) -> Passage | None:
    return next((other for other in kept if _repeats(passage.chunk.text, other.chunk.text, least)), None)


def _repeats(text: str, other: str, least: float) -> bool:
    """Procedures for two instruments differ in little but their numbers: then both are wanted."""
    if re.findall(r"\d+", text) != re.findall(r"\d+", other):
        return False
    ours, theirs = _triples(text), _triples(other)
    return len(ours & theirs) >= least * len(ours | theirs)


def _triples(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}
