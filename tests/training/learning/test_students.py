"""Rerankers that learn, and are read from the folder that they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny

from rag import Rag
from rag.models.token_bits import maxsim_floats
from rag.parts import Parts
from rag.protocols import silent
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.multi_vector import MultiVectorTokens
from rag.training.learning.batches import Batches
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.cross_encoder import CrossEncoderStudent
from rag.training.learning.loop import Loop
from rag.training.learning.multi_vector import MultiVectorStudent

TEXT = "When is the dome closed because of the wind?"


def test_a_cross_encoder_learns_and_reranks_from_its_folder(tmp_path: Path, handbook: Rag) -> None:
    student = CrossEncoderStudent(tiny.cross_encoder(tmp_path / "start"), tiny.RECIPE, "cpu")
    losses = taken(student, tmp_path)
    assert losses[-1] < losses[0]
    student.save(tmp_path / "trained")
    reranker = CrossEncoderSettings(
        kind="cross-encoder", model=str(tmp_path / "trained"), precision="fp32"
    ).build(Parts(None, None))  # type: ignore[arg-type]  # it needs neither
    candidates = handbook.retrieve(TEXT)[:3]
    given = reranker.score(handbook.pipeline.encode(TEXT), candidates).values
    ours, _ = student.scores(TEXT, [candidate.chunk.reading for candidate in candidates])
    np.testing.assert_allclose(given, ours, atol=0.05)


@pytest.mark.slow  # its library takes long to load and to learn
def test_a_multi_vector_model_learns_and_is_read_from_its_folder(tmp_path: Path) -> None:
    student = MultiVectorStudent(tiny.multi_vector(tmp_path / "start"), tiny.RECIPE, "cpu")
    losses = taken(student, tmp_path)
    assert losses[-1] < losses[0]
    student.save(tmp_path / "trained")
    encoder = MultiVectorTokens(str(tmp_path / "trained"), "cpu")
    asked = encoder.embed_question(TEXT).tokens
    assert asked is not None
    passages = ["The dome closes in high wind.", "Lunch is at noon."]
    ours, _ = student.scores(TEXT, passages)
    np.testing.assert_allclose(maxsim_floats(asked, encoder.embed_tokens(passages)), ours, atol=0.02)


def taken(student: Any, tmp_path: Path) -> list[float]:
    batches = Batches(tiny.lessons(), [], tiny.RECIPE)
    loop = Loop(student, batches, tiny.RECIPE, lambda _: 0.0, Checkpoint(tmp_path / "c.pt", "x"))
    course = loop.run(12, None, silent)
    sums = [sum(step.losses.values()) for step in course.losses]
    return [sum(sums[:3]), sum(sums[-3:])]
