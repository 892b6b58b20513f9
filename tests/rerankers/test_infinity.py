"""The kind `http` against a server that others wrote. Slow, and only where `infinity_emb` is installed:
on the PATH, or named in INFINITY_EMB. (An environment of its own: pip install torch==2.13.0, then
"infinity-emb[server,torch]==0.0.78".)"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.builders import candidate
from support.cross_encoders import build as local
from support.cross_encoders import made

from rag.calibration import sigmoid
from rag.embedders.http import HttpEmbedderSettings
from rag.errors import ServiceError
from rag.models.folder import BUNDLED_NAME, find_model
from rag.parts import Parts
from rag.rerankers.http import HttpReranker, HttpRerankerSettings
from rag.second_stage.guards.deadline import Batches
from rag.types import Candidate, Question

PROGRAM = os.environ.get("INFINITY_EMB") or shutil.which("infinity_emb")
QUESTION = Question("When is the dome closed?")
STARTS_WITHIN_S = 120

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="infinity_emb is not installed")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("cross") / "cross-encoder", labels=1)


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(str(PROGRAM), "v2", "--host", "127.0.0.1", "--port", str(port), "--engine", "torch"),
        *("--device", "cpu", "--no-bettertransformer", "--no-model-warmup"),
        *("--model-id", str(model), "--served-model-name", "ranker"),
        *("--model-id", str(find_model(BUNDLED_NAME, None)), "--served-model-name", "embedder"),
    ]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    process = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, "infinity_emb ended"
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError("infinity_emb did not start")


def build(server: str, **settings: object) -> HttpReranker:
    given = {"kind": "http", "base_url": server, "model": "ranker", "timeout_s": 60, **settings}
    return HttpRerankerSettings.model_validate(given).build(Parts(None, None))  # type: ignore[arg-type]  # it takes neither


def some(count: int) -> list[Candidate]:
    return [
        candidate(f"the dome number {i} closes " * (1 + i % 5), f"{i}.md", rank=i + 1) for i in range(count)
    ]


def test_its_scores_are_those_of_the_model_read_here(server: str, model: Path) -> None:
    ours = local(model, runtime="torch").score(QUESTION, some(20)).values
    theirs = build(server).score(QUESTION, some(20)).values
    assert [sigmoid(score) for score in theirs] == pytest.approx([sigmoid(s) for s in ours], abs=2e-2)


def test_one_call_of_many_is_the_merge_of_split_calls(server: str) -> None:
    whole = build(server).score(QUESTION, some(200)).values
    split = Batches(build(server), 30, 2).score(QUESTION, some(200)).values
    assert split == pytest.approx(whole, abs=1e-2)


def test_a_model_that_it_does_not_serve_is_told(server: str) -> None:
    with pytest.raises(ServiceError, match="nonesuch"):
        build(server, model="nonesuch").score(QUESTION, some(2))


def test_its_embeddings_are_taken(server: str) -> None:
    settings = {"kind": "http", "base_url": server, "model": "embedder"}
    embedder = HttpEmbedderSettings.model_validate(settings).build()
    close, far = embedder.embed_passages(["the dome closes at noon", "tea and biscuits"])
    asked = embedder.embed_question("when does the dome close?").vector
    assert embedder.card.dimension == 384
    assert close.vector @ asked > far.vector @ asked
