from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import names, passage, ranked

from rag.selection import Order, Rule, arrange, estimate_tokens, select
from rag.types import Passage, Selection

ALL = Rule(top_k=100, threshold=0.0, ratio=None, duplicates=None, budget=10**6)


def reasons(selection: Selection) -> dict[str, str]:
    return {dropped.passage.chunk.source: dropped.reason for dropped in selection.dropped}


# --- how many ------------------------------------------------------------------------------


@pytest.mark.parametrize("top_k", [1, 3, 7])
def test_top_k_is_obeyed_exactly(top_k: int) -> None:
    selection = select(ranked(*[0.9] * 7), replace(ALL, top_k=top_k))
    assert len(selection.kept) == top_k
    assert set(reasons(selection).values()) <= {f"beyond top_k {top_k}"}


def test_a_top_k_beyond_the_candidates_keeps_them_all() -> None:
    assert len(select(ranked(0.9, 0.8), replace(ALL, top_k=50)).kept) == 2


def test_nothing_selected_from_nothing() -> None:
    assert select([], Rule()) == Selection((), ())


def test_what_other_rules_drop_does_not_use_up_top_k() -> None:
    copies = [passage(0.9 - i / 100, "one and the same text here", f"{i}.md", rank=i + 1) for i in range(4)]
    other = passage(0.5, "something else altogether is written", "other.md", rank=5)
    selection = select([*copies, other], replace(ALL, top_k=2, duplicates=0.9))
    assert names(selection.kept) == ["0.md", "other.md"]


def test_passages_equal_word_for_word_are_one_that_names_all_its_sources() -> None:
    text = "one and the same text here"
    copies = [passage(0.9 - i / 100, text, f"{i}.md", rank=i + 1) for i in range(3)]
    (kept,) = select(copies, replace(ALL, top_k=2, duplicates=0.9)).kept
    assert (kept.chunk.source, kept.candidate.also) == ("0.md", ("1.md", "2.md"))


# --- how relevant --------------------------------------------------------------------------


def test_the_threshold_is_on_calibrated_relevance_and_not_on_the_raw_or_the_fused_score() -> None:
    good = replace(passage(0.8, "good", "good.md"), score=-4.0)
    bad = replace(passage(0.1, "bad", "bad.md"), score=11.0)
    selection = select([good, bad], replace(ALL, threshold=0.5))
    assert names(selection.kept) == ["good.md"]
    assert reasons(selection) == {"bad.md": "relevance 0.100 is below the threshold 0.500"}


def test_a_relevance_of_exactly_the_threshold_is_kept() -> None:
    assert len(select(ranked(0.5), replace(ALL, threshold=0.5)).kept) == 1


def test_where_all_are_below_the_threshold_none_is_kept() -> None:
    selection = select(ranked(0.3, 0.2), replace(ALL, threshold=0.5))
    assert (len(selection.kept), len(selection.dropped)) == (0, 2)


def test_the_ratio_keeps_what_is_near_the_best() -> None:
    selection = select(ranked(0.8, 0.5, 0.39), replace(ALL, ratio=0.5))
    assert names(selection.kept) == ["0.md", "1.md"]
    assert reasons(selection) == {"2.md": "relevance 0.390 is below 0.5 of the best (0.800)"}


def test_the_ratio_never_drops_the_best_though_its_logit_is_negative() -> None:
    """Half of a logit of -2 is -1, which is above it: the ratio is taken of relevance."""
    best = replace(passage(0.12, "best", "best.md"), score=-2.0, logit=-2.0)
    assert names(select([best], replace(ALL, ratio=1.0)).kept) == ["best.md"]


def test_without_a_ratio_the_best_does_not_matter() -> None:
    assert len(select(ranked(0.9, 0.01), ALL).kept) == 2


# --- what repeats --------------------------------------------------------------------------

PROCEDURE = "Cool LYRA down with 40 litres of nitrogen over 6 hours and then start the closed cycle cooler."


def copies(first: str, second: str) -> list[Passage]:
    return [passage(0.9, first, "first.md", rank=1), passage(0.8, second, "second.md", rank=2)]


def test_a_passage_that_repeats_a_better_one_is_dropped_and_says_which() -> None:
    selection = select(copies(PROCEDURE, f"{PROCEDURE} "), replace(ALL, duplicates=0.9))
    assert reasons(selection) == {"second.md": "repeats the passage of rank 1 (first.md)"}


def test_passages_that_differ_in_a_number_are_both_kept() -> None:
    selection = select(copies(PROCEDURE, PROCEDURE.replace("40", "55")), replace(ALL, duplicates=0.5))
    assert len(selection.kept) == 2


def test_with_duplicates_null_copies_are_kept() -> None:
    assert len(select(copies(PROCEDURE, PROCEDURE), replace(ALL, duplicates=None)).kept) == 2


def test_short_passages_of_the_same_words_repeat_and_of_other_words_do_not() -> None:
    rule = replace(ALL, duplicates=0.9)
    assert len(select(copies("Dome open", "dome OPEN!"), rule).kept) == 1
    assert len(select(copies("Dome open", "Dome closed"), rule).kept) == 2


def test_only_what_is_kept_counts_as_the_first_copy() -> None:
    """A passage is not dropped for repeating one that the reader does not see either."""
    texts = ["alpha beta gamma delta", PROCEDURE, PROCEDURE]
    given = [passage(0.9, text, f"{i}.md", rank=i + 1) for i, text in enumerate(texts)]
    selection = select(given, replace(ALL, top_k=1, duplicates=0.9))
    assert set(reasons(selection).values()) == {"beyond top_k 1"}


# --- how long ------------------------------------------------------------------------------


def test_a_passage_that_does_not_fit_the_budget_is_dropped_and_a_shorter_one_may_follow() -> None:
    given = [passage(0.9, "a" * 400, "0.md"), passage(0.8, "b" * 400, "1.md"), passage(0.7, "c" * 40, "2.md")]
    selection = select(given, replace(ALL, budget=120))
    assert names(selection.kept) == ["0.md", "2.md"]
    assert reasons(selection) == {"1.md": "over the prompt's budget of 120 tokens"}


def test_the_best_passage_is_kept_however_long() -> None:
    assert len(select([passage(0.9, "a" * 4000)], replace(ALL, budget=10)).kept) == 1


def test_tokens_are_counted_by_bytes_so_that_no_script_is_free() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("word") == 1
    assert estimate_tokens("天文台の望遠鏡") > estimate_tokens("telescope")


# --- in which order ------------------------------------------------------------------------


def test_edges_puts_the_best_first_and_the_second_best_last() -> None:
    assert names(arrange(ranked(0.9, 0.8, 0.7, 0.6, 0.5), "edges")) == [
        "0.md",
        "2.md",
        "4.md",
        "3.md",
        "1.md",
    ]


def test_document_order_is_by_source_and_place() -> None:
    given = [
        passage(0.9, source="b.md", start=0),
        passage(0.8, source="a.md", start=90),
        passage(0.7, source="a.md"),
    ]
    arranged = arrange(given, "document")
    assert [(p.chunk.source, p.chunk.start) for p in arranged] == [("a.md", 0), ("a.md", 90), ("b.md", 0)]


def test_the_order_changes_nothing_about_what_is_kept() -> None:
    given = ranked(0.9, 0.8, 0.7, 0.6)
    orders: list[Order] = ["relevance", "document", "edges"]
    kept = [select(given, replace(ALL, top_k=3, order=order)).kept for order in orders]
    assert {frozenset(names(each)) for each in kept} == {frozenset(["0.md", "1.md", "2.md"])}


# --- whatever comes ------------------------------------------------------------------------

relevances = st.lists(st.floats(0, 1), max_size=20).map(lambda values: sorted(values, reverse=True))
rules = st.builds(
    Rule,
    top_k=st.integers(1, 25),
    threshold=st.floats(0, 1),
    ratio=st.none() | st.floats(0, 1),
    duplicates=st.none() | st.floats(0, 1),
    budget=st.integers(1, 200),
    order=st.sampled_from(["relevance", "document", "edges"]),
)


@given(relevances, rules)
def test_every_passage_is_either_kept_or_dropped_for_one_reason(values: list[float], rule: Rule) -> None:
    given = ranked(*values)
    selection = select(given, rule)
    kept = [p.chunk.id for p in selection.kept]
    dropped = [d.passage.chunk.id for d in selection.dropped]
    assert sorted(kept + dropped) == sorted(p.chunk.id for p in given)
    assert all(d.reason for d in selection.dropped)


@given(relevances, rules)
def test_what_is_kept_obeys_every_rule(values: list[float], rule: Rule) -> None:
    kept = select(ranked(*values), rule).kept
    assert len(kept) <= rule.top_k
    assert all(p.relevance >= rule.threshold for p in kept)
    assert len(kept) <= 1 or sum(estimate_tokens(p.chunk.text) for p in kept) <= rule.budget
    if rule.ratio is not None and values:
        assert all(p.relevance >= rule.ratio * values[0] for p in kept)


@given(relevances, rules)
def test_a_lower_threshold_never_loses_a_passage_to_the_threshold(values: list[float], rule: Rule) -> None:
    strict = select(ranked(*values), replace(rule, top_k=100, budget=10**6, duplicates=None))
    lax = select(ranked(*values), replace(rule, top_k=100, budget=10**6, duplicates=None, threshold=0.0))
    assert {p.chunk.id for p in strict.kept} <= {p.chunk.id for p in lax.kept}
