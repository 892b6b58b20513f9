"""Which model of a config is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag import ConfigError, Settings
from rag.training.trainee import trainee_of


@pytest.mark.parametrize(
    ("reranker", "kind"),
    [
        ({"kind": "late-interaction"}, "embedder"),
        ({"kind": "none"}, "embedder"),
        ({"kind": "cross-encoder", "model": "here"}, "cross-encoder"),
        ({"kind": "late-interaction", "model": "here"}, "multi-vector"),
    ],
)
def test_a_config_says_by_itself_which_model_is_trained(
    untaught: Path, reranker: dict[str, Any], kind: str
) -> None:
    named = {key: str(untaught) if value == "here" else value for key, value in reranker.items()}
    trainee = trainee_of(Settings(reranker=named))  # type: ignore[arg-type]  # pydantic validates
    assert trainee.kind == kind
    assert trainee.encodes == (kind == "embedder")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"embedder": {"kind": "openai"}}, "no model of this machine"),
        ({"reranker": {"kind": "cohere"}}, "'cohere' is not a model that can be trained"),
        ({"retriever": {"kind": "knowledgesdk"}}, "keeps its passages to itself"),
    ],
)
def test_what_cannot_be_trained_is_told_with_what_can(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        trainee_of(Settings(**section))
