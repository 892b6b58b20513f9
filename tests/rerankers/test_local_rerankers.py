"""One contract over every reranker of this machine: a score for each candidate, whatever the others are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from support.builders import candidates
from support.cross_encoders import made
from support.fakes import NothingStored, WordEmbedder

from rag.parts import Parts
from rag.protocols import Reranker
from rag.rerankers import AnyRerankerSettings
from rag.types import Question

QUESTION = Question("passage number 3", WordEmbedder().embed_question("passage number 3"))
KINDS: dict[str, dict[str, Any]] = {
    "late-interaction": {"kind": "late-interaction"},
    "in floats": {"kind": "late-interaction", "precision": "float"},
    "openvino": {"kind": "cross-encoder", "runtime": "openvino", "precision": "fp32"},
    "torch": {"kind": "cross-encoder", "runtime": "torch", "precision": "fp32"},
    "none": {"kind": "none"},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("cross") / "model", labels=1)


@pytest.fixture(params=list(KINDS))
def reranker(request: pytest.FixtureRequest, model: Path) -> Reranker:
    settings = KINDS[request.param]
    named = {"model": str(model)} if settings["kind"] == "cross-encoder" else {}
    adapter: TypeAdapter[AnyRerankerSettings] = TypeAdapter(AnyRerankerSettings)
    return adapter.validate_python(settings | named).build(Parts(NothingStored(), WordEmbedder))


def test_no_candidates_no_scores(reranker: Reranker) -> None:
    assert reranker.score(QUESTION, []).values == ()


def test_every_candidate_has_a_plain_number_in_the_order_given(reranker: Reranker) -> None:
    given = candidates(5)
    values = reranker.score(QUESTION, given).values
    assert [type(value) for value in values] == [float] * 5
    assert reranker.score(QUESTION, given[::-1]).values == pytest.approx(values[::-1], abs=1e-4)


def test_a_score_does_not_depend_on_the_other_candidates(reranker: Reranker) -> None:
    given = candidates(5)
    together = reranker.score(QUESTION, given).values
    alone = [reranker.score(QUESTION, [each]).values[0] for each in given]
    assert together == pytest.approx(alone, abs=1e-4)


def test_a_question_without_vectors_is_scored_alike(reranker: Reranker) -> None:
    given = candidates(5)
    values = reranker.score(QUESTION, given).values
    assert reranker.score(Question(QUESTION.text), given).values == pytest.approx(values, abs=1e-6)


def test_candidates_are_not_written_to(reranker: Reranker) -> None:
    given = candidates(5)
    reranker.score(QUESTION, given)
    assert given == candidates(5)
