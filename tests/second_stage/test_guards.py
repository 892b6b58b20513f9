"""What stands around a reranker, each guard by itself, around a reranker that does as it is told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.builders import RAW, candidate, candidates

from rag.calibration import Calibration
from rag.errors import InputError, ModelError, ProtocolError, ServiceError, TransientError
from rag.rerankers.fields import reading
from rag.rerankers.none import FirstStageOrder
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
from rag.second_stage.rank import rerank
from rag.second_stage.score_store import ScoreStore
from rag.types import NOBODY, Candidate, Evidence, Question, RerankerCard, Scores

QUESTION = Question("Who is there?")
PASSING = TransientError("busy", provider="p")
WRONG_KEY = ServiceError("wrong key", provider="p", status=401)
NONSENSE = ProtocolError("nonsense", provider="p")


class Told:
    """Scores each passage by a function of its rank; meets its script first."""

    def __init__(self, kind: str = "told", value: Callable[[int], float] = lambda rank: -float(rank)) -> None:
        self.card = RerankerCard(kind, "m")
        self.value = value
        self.script: deque[Exception | Callable[[], object] | Scores] = deque()
        self.asked: list[list[int]] = []
        self.units = 0.0

    def then(self, *steps: Exception | Callable[[], object] | Scores) -> Told:
        self.script.extend(steps)
        return self

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        self.asked.append([c.rank for c in candidates])
        step = self.script.popleft() if self.script else None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Scores):
            return step
        if step is not None:
            step()
        return Scores(tuple(self.value(c.rank) for c in candidates), units=self.units, tokens=len(candidates))


def kinds(scores: Scores) -> list[str]:
    return [scores.scorers[scorer].kind for scorer in scores.by]


# --- retry ---------------------------------------------------------------------------------


def retrying(inner: Told, retries: int = 2) -> tuple[Retry, list[float]]:
    waits: list[float] = []
    return Retry(inner, retries, sleep=waits.append, jitter=lambda: 0.5), waits


def test_what_may_pass_is_tried_again_after_growing_waits() -> None:
    inner = Told().then(PASSING, PASSING)
    retry, waits = retrying(inner)
    assert len(retry.score(QUESTION, candidates(2)).values) == 2
    assert waits == [0.1, 0.2]


def test_the_service_says_how_long_to_wait() -> None:
    retry, waits = retrying(Told().then(TransientError("wait", provider="p", retry_after=3.0)))
    retry.score(QUESTION, candidates(1))
    assert waits == [pytest.approx(3.05)]


def test_retries_end() -> None:
    inner = Told().then(PASSING, PASSING, PASSING)
    retry, _ = retrying(inner)
    with pytest.raises(TransientError):
        retry.score(QUESTION, candidates(1))
    assert len(inner.asked) == 3


@pytest.mark.parametrize("error", [WRONG_KEY, NONSENSE, InputError("no")])
def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    inner = Told().then(error)
    retry, waits = retrying(inner)
    with pytest.raises(type(error)):
        retry.score(QUESTION, candidates(1))
    assert (len(inner.asked), waits) == (1, [])


def test_a_wait_that_ends_after_the_deadline_is_not_begun() -> None:
    inner = Told().then(TransientError("wait", provider="p", retry_after=5.0))
    retry, waits = retrying(inner)
    with pytest.raises(TransientError):
        retry.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    assert waits == []


def test_nobody_waits_for_minutes() -> None:
    retry, waits = retrying(Told().then(TransientError("wait", provider="p", retry_after=3600)))
    with pytest.raises(TransientError):
        retry.score(QUESTION, candidates(1))
    assert waits == []


# --- deadline and batches ------------------------------------------------------------------


def test_what_is_in_by_the_deadline_counts_and_the_rest_keeps_its_order_below() -> None:
    never = threading.Event()
    inner = Told(value=float).then(lambda: None, lambda: never.wait(30))
    stage = Deadline(Batches(inner, size=2, parallel=1), deadline_ms=100)
    scores = stage.score(QUESTION, candidates(5))
    never.set()
    assert (scores.status, scores.reason) == ("late", "told was late, 2 of 5 scored")
    assert kinds(scores) == ["told", "told", "none", "none", "none"]
    passages, trace = rerank(Fixed(scores), RAW, QUESTION, candidates(5))
    assert [p.candidate.rank for p in passages] == [2, 1, 3, 4, 5]
    assert (trace.status, trace.scored, trace.candidates, trace.kind) == ("late", 2, 5, "told")


def test_nothing_is_in_by_the_deadline() -> None:
    never = threading.Event()
    stage = Deadline(Batches(Told().then(lambda: never.wait(30)), None, 1), deadline_ms=50)
    scores = stage.score(QUESTION, candidates(3))
    never.set()
    assert (scores.status, kinds(scores)) == ("late", ["none"] * 3)
    assert rerank(Fixed(scores), RAW, QUESTION, candidates(3))[1].kind == "none"


def test_a_permanent_refusal_is_not_taken_for_lateness() -> None:
    never = threading.Event()

    def refuse_at_last() -> None:
        never.wait(0.15)
        raise WRONG_KEY

    stage = Deadline(Batches(Told().then(lambda: None, refuse_at_last), 1, 1), deadline_ms=100)
    scores = stage.score(QUESTION, candidates(3))
    assert scores.status == "late"
    with pytest.raises(ServiceError, match="wrong key"):
        Deadline(Batches(Told().then(WRONG_KEY), 1, 1), deadline_ms=5000).score(QUESTION, candidates(3))


def test_no_call_is_begun_after_the_deadline() -> None:
    inner = Told()
    scores = Batches(inner, 1, 4).score(replace(QUESTION, until=time.monotonic() - 1), candidates(3))
    assert (scores.status, kinds(scores), inner.asked) == ("late", ["none"] * 3, [])


def test_calls_go_out_side_by_side() -> None:
    """Each waits for the other: one after the other they would never end."""
    together = threading.Barrier(2)
    inner = Told().then(lambda: together.wait(10), lambda: together.wait(10))
    assert Batches(inner, size=1, parallel=2).score(QUESTION, candidates(2)).values == (-1.0, -2.0)


def test_split_calls_are_merged_to_what_one_call_would_have_said() -> None:
    whole = Told().score(QUESTION, candidates(200))
    split = Batches(Told(), size=7, parallel=3).score(QUESTION, candidates(200))
    assert split.values == whole.values
    assert (split.tokens, split.status) == (200, "ok")


@pytest.mark.parametrize("error", [PASSING, WRONG_KEY, NONSENSE])
def test_an_error_of_one_call_is_the_error_of_all(error: Exception) -> None:
    with pytest.raises(type(error)):
        Batches(Told().then(lambda: None, error), size=1, parallel=1).score(QUESTION, candidates(3))


def test_without_a_deadline_one_call_is_made_on_the_callers_thread() -> None:
    threads: list[threading.Thread] = []
    inner = Told().then(lambda: threads.append(threading.current_thread()))
    Batches(inner, None, 4).score(QUESTION, candidates(3))
    assert threads == [threading.current_thread()]


# --- fallback ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [PASSING, NONSENSE])
def test_another_reranker_stands_in_and_says_so(error: Exception) -> None:
    chain = Fallback([Told("first").then(error), Told("second"), FirstStageOrder()], permanent=False)
    scores = chain.score(QUESTION, candidates(2))
    assert (scores.status, scores.scorers) == ("degraded", (RerankerCard("second", "m"),))
    assert scores.reason == f"{error}; second m scored instead"


def test_the_last_of_the_list_may_be_nobody() -> None:
    chain = Fallback([Told("first").then(PASSING), FirstStageOrder()], permanent=False)
    passages, trace = rerank(chain, RAW, QUESTION, candidates(3), {NOBODY: Calibration("none", {})})
    assert [p.candidate.rank for p in passages] == [1, 2, 3]
    assert (trace.kind, trace.status, trace.scored) == ("none", "degraded", 0)
    assert "the first stage's order stands" in trace.reason


def test_a_permanent_refusal_is_not_masked_unless_the_config_says_so() -> None:
    with pytest.raises(ServiceError, match="wrong key"):
        Fallback([Told().then(WRONG_KEY), Told()], permanent=False).score(QUESTION, candidates(1))
    scores = Fallback([Told().then(WRONG_KEY), Told("b")], permanent=True).score(QUESTION, candidates(1))
    assert (scores.status, scores.scorers[0].kind) == ("degraded", "b")


@pytest.mark.parametrize("values", [(1.0,), (1.0, float("nan")), (1.0, 2.0, 3.0)])
def test_nonsense_of_a_local_model_is_an_error_unless_the_config_says_so(values: tuple[float, ...]) -> None:
    def chain(permanent: bool) -> Fallback:
        odd = Batches(Checked(Told().then(Scores(values))), None, 1)
        return Fallback([Deadline(odd, 5000), Told("b")], permanent)

    with pytest.raises(ModelError):
        chain(permanent=False).score(QUESTION, candidates(2))
    assert chain(permanent=True).score(QUESTION, candidates(2)).scorers[0].kind == "b"


def test_an_error_of_the_user_is_nobodys_to_mend() -> None:
    with pytest.raises(InputError):
        Fallback([Told().then(InputError("no")), Told()], permanent=True).score(QUESTION, candidates(1))


def test_the_last_ones_failure_is_raised() -> None:
    with pytest.raises(ProtocolError):
        Fallback([Told().then(PASSING), Told().then(NONSENSE)], False).score(QUESTION, candidates(1))


def test_a_stand_in_is_read_by_its_own_calibration() -> None:
    chain = Fallback([Told("first").then(PASSING), Told("second", float)], permanent=False)
    own = {RerankerCard("second", "m"): Calibration("second's", {"score": 1.0}, bias=-100.0, fitted_on="x")}
    passages, trace = rerank(chain, RAW, QUESTION, candidates(2), own)
    assert [p.logit for p in passages] == [-98.0, -99.0]
    assert (trace.calibration, trace.kind) == ("second's", "second")


# --- breaker -------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_repeated_failures_the_service_is_left_alone_then_tried_once() -> None:
    clock, inner = Clock(), Told().then(PASSING, NONSENSE, PASSING, PASSING)
    breaker = Breaker(inner, "p", failures=2, pause_s=30, clock=clock)

    def ask() -> str:
        try:
            breaker.score(QUESTION, candidates(1))
        except (TransientError, ProtocolError) as error:
            return str(error)
        return "ok"

    assert [ask(), ask()] == ["busy", "nonsense"]
    assert "left alone for 30 s more; the last time: nonsense" in ask()
    assert len(inner.asked) == 2
    clock.now = 31
    assert ask() == "busy"
    assert "left alone" in ask()
    clock.now = 62
    inner.script.clear()
    assert [ask(), ask()] == ["ok", "ok"]


def test_while_one_tries_whether_it_is_back_nobody_else_does() -> None:
    clock, inner = Clock(), Told().then(PASSING)
    breaker = Breaker(inner, "p", failures=1, pause_s=30, clock=clock)
    with pytest.raises(TransientError):
        breaker.score(QUESTION, candidates(1))
    clock.now = 31
    inside: list[str] = []

    def meanwhile() -> None:
        with pytest.raises(TransientError, match="left alone"):
            breaker.score(QUESTION, candidates(1))
        inside.append("refused")

    inner.then(meanwhile)
    breaker.score(QUESTION, candidates(1))
    assert inside == ["refused"]


def test_a_permanent_refusal_opens_no_breaker() -> None:
    inner = Told().then(WRONG_KEY, WRONG_KEY)
    breaker = Breaker(inner, "p", failures=1, pause_s=30, clock=Clock())
    for _ in range(2):
        with pytest.raises(ServiceError, match="wrong key"):
            breaker.score(QUESTION, candidates(1))


# --- cache ---------------------------------------------------------------------------------


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


def test_the_cache_does_not_outgrow_its_bound_and_forgets_what_was_not_used(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "cache.sqlite", 100_000)
    for number in range(40):
        store.put({f"{number}-{i}".encode() * 4: (float(i),) for i in range(100)})
    assert 100 < store.status().entries < 4000
    assert store.get([b"39-99" * 4]) == {b"39-99" * 4: (99.0,)}


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


_WRITES = """
import sys
from pathlib import Path
from rag.second_stage.guards.cache import ScoreStore

store = ScoreStore(Path(sys.argv[1]), 10_000_000)
for number in range(100):
    store.put({f"{sys.argv[2]}-{number}".encode(): (float(number),)})
    store.get([f"{sys.argv[2]}-{number}".encode()])
"""


def test_many_processes_share_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    ScoreStore(path, 10_000_000).put({b"first": (1.0,)})
    started = [
        subprocess.Popen([sys.executable, "-c", _WRITES, str(path), str(name)], stderr=subprocess.PIPE)
        for name in range(3)
    ]
    told = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    store = ScoreStore(path, 10_000_000)
    # A write that would have had to wait is given up: none may be wrong, a few may be missing.
    assert store.status().entries > 150
    keys = [f"{name}-{number}".encode() for name in range(3) for number in range(100)]
    assert all(values == (float(key.split(b"-")[1]),) for key, values in store.get(keys).items())


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


# --- cascade -------------------------------------------------------------------------------


def test_a_quick_reranker_passes_its_best_on_and_the_rest_stays_below() -> None:
    first, then = Told("quick", float), Told("sharp")
    scores = Cascade(first, 2, then).score(QUESTION, candidates(5))
    assert then.asked == [[4, 5]]
    assert kinds(scores) == ["quick", "quick", "quick", "sharp", "sharp"]
    others = {RerankerCard("quick", "m"): Calibration("quick's", {"score": 1.0}, bias=1000.0)}
    passages, trace = rerank(Fixed(scores, then.card), RAW, QUESTION, candidates(5), others)
    assert [p.candidate.rank for p in passages] == [4, 5, 3, 2, 1]
    assert (trace.kind, trace.scored) == ("sharp", 5)


def test_few_candidates_need_no_quick_reranker() -> None:
    first, then = Told("quick"), Told("sharp")
    Cascade(first, 5, then).score(QUESTION, candidates(5))
    assert (first.asked, then.asked) == ([], [[1, 2, 3, 4, 5]])


def test_what_the_second_could_not_read_in_time_keeps_the_firsts_score() -> None:
    late = Scores(
        (1.0, 0.0), status="late", reason="r", scorers=(RerankerCard("sharp", "m"), NOBODY), by=(0, 1)
    )
    scores = Cascade(Told("quick", float), 2, Told("sharp").then(late)).score(QUESTION, candidates(3))
    assert kinds(scores) == ["quick", "sharp", "quick"]
    assert (scores.status, scores.reason) == ("late", "r")


# --- skip ----------------------------------------------------------------------------------


def leading(lead: float) -> list[Candidate]:
    cosines = [0.5 + lead, 0.4, 0.5]
    return [replace(c, evidence=Evidence(cosine)) for c, cosine in zip(candidates(3), cosines, strict=True)]


@pytest.mark.parametrize(
    ("few", "margin", "lead", "skipped"),
    [(3, None, 0.0, True), (2, None, 0.0, False), (None, 0.2, 0.3, True), (None, 0.2, 0.1, False)],
)
def test_reranking_is_skipped_where_it_could_not_change_much(
    few: int | None, margin: float | None, lead: float, skipped: bool
) -> None:
    inner = Told()
    scores = Skip(inner, few, margin).score(QUESTION, leading(lead))
    assert (scores.status == "skipped", len(inner.asked)) == (skipped, int(not skipped))
    assert ("skip_when" in scores.reason) == skipped


def test_without_the_first_stages_cosines_nothing_is_certain() -> None:
    assert Skip(Told(), None, 0.0).score(QUESTION, candidates(3)).status == "ok"


# --- pace and price ------------------------------------------------------------------------


def test_so_many_a_minute_and_whoever_comes_too_early_waits_his_turn() -> None:
    clock = Clock()
    allowance = Allowance(2, clock)
    assert [allowance.reserve(1, 1000) for _ in range(4)] == [0, 0, 30, 60]
    clock.now = 120
    assert allowance.reserve(1, 1000) == 0


def test_a_wait_beyond_the_deadline_is_told_and_reserves_nothing() -> None:
    requests, tokens = Allowance(1, Clock()), Allowance(10_000, Clock())
    waits: list[float] = []
    paced = Paced(Told(), "p", requests, tokens, sleep=waits.append)
    paced.score(QUESTION, candidates(1))
    with pytest.raises(TransientError, match="limit a minute"):
        paced.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    paced.score(QUESTION, candidates(1))
    assert waits == [0.0, 60.0]


def test_an_allowance_that_is_used_up_is_no_failure_of_the_service() -> None:
    inner = Told()
    paced = Paced(inner, "p", Allowance(1, Clock()), None, sleep=lambda _: None)
    waits: list[float] = []
    breaker = Breaker(Retry(paced, 3, sleep=waits.append), "p", failures=1, pause_s=30, clock=Clock())
    breaker.score(QUESTION, candidates(1))
    for _ in range(2):
        with pytest.raises(TransientError, match="limit a minute"):
            breaker.score(replace(QUESTION, until=time.monotonic() + 1), candidates(1))
    assert (waits, len(inner.asked)) == ([], 1)


def test_tokens_are_counted_too() -> None:
    waits: list[float] = []
    paced = Paced(Told(), "p", None, Allowance(100, Clock()), sleep=waits.append)
    for _ in range(2):
        paced.score(QUESTION, [candidate("x" * 360)])
    assert waits == [0.0, pytest.approx(52.8)]


def test_units_and_tokens_become_money() -> None:
    inner = Told()
    inner.units = 3
    assert Priced(inner, Price(0.002, 10.0)).score(QUESTION, candidates(5)).cost == pytest.approx(0.00605)


class Fixed:
    """Scores that are there already."""

    def __init__(self, scores: Scores, card: RerankerCard | None = None) -> None:
        self.card = card or RerankerCard("told", "m")
        self.scores = scores

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        return self.scores
