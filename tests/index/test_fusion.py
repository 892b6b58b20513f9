from __future__ import annotations

import pytest

from rag.index.fusion import reciprocal_rank_fusion


def test_each_ranking_adds_the_reciprocal_of_k_plus_the_rank() -> None:
    fused = dict(reciprocal_rank_fusion([["a", "b"], ["b", "c"]], k=60))
    assert fused == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 62})


def test_what_both_rankings_found_comes_before_what_one_of_them_found_first() -> None:
    assert [id_ for id_, _ in reciprocal_rank_fusion([["a", "x"], ["b", "x"]])] == ["x", "a", "b"]


def test_ties_keep_the_order_of_the_first_ranking() -> None:
    assert [id_ for id_, _ in reciprocal_rank_fusion([["b", "a"], ["a", "b"]])] == ["b", "a"]


def test_one_ranking_alone_keeps_its_order() -> None:
    assert [id_ for id_, _ in reciprocal_rank_fusion([["c", "a", "b"], []])] == ["c", "a", "b"]


def test_a_small_k_favours_the_first_ranks() -> None:
    rankings = [["top", "y", "both"], ["z", "x", "w", "v", "u", "both"]]
    assert reciprocal_rank_fusion(rankings, k=1)[0][0] == "top"
    assert reciprocal_rank_fusion(rankings, k=1000)[0][0] == "both"


def test_nothing_fused_is_nothing() -> None:
    assert reciprocal_rank_fusion([[], []]) == []
