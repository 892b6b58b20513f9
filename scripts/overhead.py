"""What asking a reranker over HTTP costs apart from the network and the service, and how late a deadline is.

    python scripts/overhead.py

Against the tests' loopback server, in this process: 50 short passages a question.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from pydantic import TypeAdapter  # noqa: E402
from support.builders import RAW, candidates  # noqa: E402  # the path to it was just made
from support.servers.loopback import KEY  # noqa: E402
from support.servers.rerank_server import Break, RerankServer  # noqa: E402

from rag.parts import Parts  # noqa: E402
from rag.rerankers import AnyRerankerSettings  # noqa: E402
from rag.second_stage.policy import PolicySettings, build_second_stage  # noqa: E402
from rag.second_stage.rank import rerank  # noqa: E402
from rag.types import Question  # noqa: E402

QUESTION = Question("when does the dome close")
CALLS = 100
THREADS = 8
DEADLINE_MS = 200
_PARTS = Parts(None, None)  # type: ignore[arg-type]  # a hosted reranker looks at neither


def main() -> None:
    server = RerankServer()
    with server.serving(), tempfile.TemporaryDirectory() as folder:
        policies: dict[str, dict[str, Any]] = {
            "as by default": {},
            "with a deadline": {"deadline_ms": 5000},
            "from the cache": {"cache": True},
        }
        for name, policy in policies.items():
            ask = _asking(server, Path(folder), policy)
            ask()
            _tell(name, _times(ask, CALLS))
        for fault in (Break("hang"), Break("hang-mid-body"), Break("drip")):
            server.always = fault
            ask = _asking(server, Path(folder), {"deadline_ms": DEADLINE_MS, "breaker": 0})
            _tell(f"{fault.how}, deadline {DEADLINE_MS} ms, {THREADS} at a time", _side_by_side(ask))
            server.reset()
            time.sleep(1)  # all that hung are let go at once: that is the server's trouble


def _asking(server: RerankServer, folder: Path, policy: dict[str, Any]) -> Callable[[], None]:
    adapter: TypeAdapter[AnyRerankerSettings] = TypeAdapter(AnyRerankerSettings)
    url = f"{server.url}/voyage/v1"
    settings = adapter.validate_python({"kind": "voyage", "base_url": url, "api_key": KEY, "retries": 0})
    stage = build_second_stage(settings, PolicySettings.model_validate(policy), _PARTS, folder)
    given = candidates(50)

    def ask() -> None:
        rerank(stage.reranker, RAW, QUESTION, given)

    return ask


def _times(ask: Callable[[], None], count: int) -> list[float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _side_by_side(ask: Callable[[], None]) -> list[float]:
    with ThreadPoolExecutor(THREADS) as threads:
        return [ms for taken in threads.map(lambda _: _times(ask, 25), range(THREADS)) for ms in taken]


def _tell(name: str, taken: list[float]) -> None:
    middle, high, worst = np.percentile(taken, [50, 99, 100])
    print(f"{name:<50} p50 {middle:7.2f} ms   p99 {high:7.2f} ms   worst {worst:7.2f} ms")


if __name__ == "__main__":
    main()
