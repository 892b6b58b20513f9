"""Scores that were paid for are not paid for twice, and no other's are taken for them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.builders import candidate, candidates
from support.scripted import QUESTION, Told

from rag.rerankers.fields import reading
from rag.second_stage.guards.cache import Cached
from rag.second_stage.score_store import ScoreStore
from rag.types import NOBODY, Question, RerankerCard, Scores


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return ScoreStore(tmp_path / "cache.sqlite", 10_000_000)


def cached(inner: Told, store: ScoreStore, identity: str = "id", listwise: bool = False) -> Cached:
    return Cached(inner, store, identity, reading, listwise)


def test_only_new_passages_are_scored(store: ScoreStore) -> None:
    inner = Told()
    guard = cached(inner, store)
    guard.score(QUESTION, candidates(4)[::2])
    scores = guard.score(QUESTION, candidates(4))
    assert inner.asked == [[1, 3], [2, 4]]
    assert (scores.values, scores.cached) == ((-1.0, -2.0, -3.0, -4.0), 2)
    again = guard.score(QUESTION, candidates(4))
    assert (again.values, again.cached, again.cost, len(inner.asked)) == (scores.values, 4, 0.0, 2)


def test_another_question_reranker_or_text_is_another_entry(store: ScoreStore) -> None:
    inner = Told()
    cached(inner, store).score(QUESTION, [candidate("one")])
    cached(inner, store).score(Question("Another?"), [candidate("one")])
    cached(inner, store, "other").score(QUESTION, [candidate("one")])
    cached(inner, store).score(QUESTION, [candidate("two")])
    assert len(inner.asked) == 4


def test_a_listwise_list_is_known_as_a_whole_or_not_at_all(store: ScoreStore) -> None:
    inner = Told()
    guard = cached(inner, store, listwise=True)
    guard.score(QUESTION, candidates(3))
    guard.score(QUESTION, candidates(2))
    assert guard.score(QUESTION, candidates(3)).cached == 3
    assert inner.asked == [[1, 2, 3], [1, 2]]


@pytest.mark.parametrize(
    "unfit",
    [
        Scores((1.0, 2.0), status="late"),
        Scores((1.0, 2.0), status="degraded"),
        Scores((1.0, 2.0), ranks=False),
        Scores((1.0, 2.0), scorers=(RerankerCard("told", "m"), NOBODY), by=(0, 1)),
        Scores((1.0, 2.0), scorers=(RerankerCard("another"),), by=(0, 0)),
    ],
)
@pytest.mark.parametrize("listwise", [False, True])
def test_what_is_not_wholly_the_rerankers_own_is_never_kept(
    store: ScoreStore, unfit: Scores, listwise: bool
) -> None:
    inner = Told().then(unfit)
    guard = cached(inner, store, listwise=listwise)
    guard.score(QUESTION, candidates(2))
    assert guard.score(QUESTION, candidates(2)).values == (-1.0, -2.0)
    assert len(inner.asked) == 2


def test_the_cache_is_kept_for_the_next_process(tmp_path: Path) -> None:
    for expected in (1, 0):
        store = ScoreStore(tmp_path / "cache.sqlite", 10_000_000)
        inner = Told()
        cached(inner, store).score(QUESTION, candidates(3))
        assert len(inner.asked) == expected
        store.close()


def test_the_cache_holds_no_text_and_no_question(store: ScoreStore, tmp_path: Path) -> None:
    guard = cached(Told(), store, '{"api": "identity-4711"}')
    guard.score(Question("a-secret-question"), [candidate("a-secret-passage")])
    store.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert store.status().entries == 1
    for secret in (b"a-secret-question", b"a-secret-passage", b"identity-4711"):
        assert secret not in written


def test_a_damaged_cache_costs_calls_and_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"this is no database, it never was one" * 100)
    store = ScoreStore(path, 10_000_000)
    inner = Told()
    for _ in range(2):
        assert cached(inner, store).score(QUESTION, candidates(2)).values == (-1.0, -2.0)
    assert len(inner.asked) == 2
    store.clear()
    cached(inner, store).score(QUESTION, candidates(2))
    assert cached(inner, store).score(QUESTION, candidates(2)).cached == 2


def test_a_cleared_cache_is_empty_for_whoever_has_it_open(tmp_path: Path) -> None:
    ours, theirs = (ScoreStore(tmp_path / "cache.sqlite", 10_000_000) for _ in range(2))
    cached(Told(), ours).score(QUESTION, candidates(3))
    assert theirs.status().entries == 3
    theirs.clear()
    assert (ours.status().entries, theirs.status().entries) == (0, 0)
    inner = Told()
    cached(inner, ours).score(QUESTION, candidates(3))
    assert len(inner.asked) == 1


def test_many_threads_share_a_cache(store: ScoreStore) -> None:
    inner = Told()
    guard = cached(inner, store)
    found: list[Scores] = []
    threads = [
        threading.Thread(target=lambda: found.append(guard.score(QUESTION, candidates(20)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {scores.values for scores in found} == {tuple(-float(i) for i in range(1, 21))}
