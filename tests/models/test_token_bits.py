from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from rag import Rag
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.models import token_bits
from rag.types import Bits, Floats

CORNER = [[-0.05595, 0.07642, -0.08116], [-0.01094, 0.00387, 0.03022]]

_DIGEST = """
import hashlib, sys
from rag.models.token_bits import rotation
sys.stdout.write(hashlib.sha256((rotation(384) * 1e4).round().astype("int32").tobytes()).hexdigest())
"""


def tokens(count: int, dimension: int = 64, seed: int = 0) -> Floats:
    drawn = np.random.RandomState(seed).standard_normal((count, dimension)).astype(np.float32)
    return token_bits.rotate(drawn)


def naive_maxsim(question: Floats, passages: list[Bits]) -> list[float]:
    """As the definition reads: for each question token the best cosine to a token of ±1, averaged."""
    found = []
    for bits in passages:
        signs = np.unpackbits(bits, axis=1).astype(np.float64) * 2 - 1
        best = [
            max(float(q @ s) / (np.linalg.norm(q) * np.linalg.norm(s)) for s in signs)
            for q in question.astype(np.float64)
        ]
        found.append(float(np.mean(best)))
    return found


@pytest.mark.parametrize("dimension", [8, 64, 384])
def test_the_rotation_keeps_lengths_and_angles(dimension: int) -> None:
    turned = token_bits.rotation(dimension)
    assert turned @ turned.T == pytest.approx(np.eye(dimension), abs=1e-5)


def test_the_rotation_is_the_same_in_another_process() -> None:
    """Stored bits depend on it."""
    other = subprocess.run([sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=True).stdout
    rounded = (token_bits.rotation(384) * 1e4).round().astype("int32")
    assert other == hashlib.sha256(rounded.tobytes()).hexdigest()


def test_the_rotation_is_the_one_that_existing_indexes_were_made_with() -> None:
    corner = token_bits.rotation(384)[:2, :3]
    assert corner == pytest.approx(np.array(CORNER), abs=1e-4)


def test_rotated_tokens_have_unit_length_and_the_cosines_they_had() -> None:
    drawn = np.random.RandomState(3).standard_normal((5, 64)).astype(np.float32) * 7
    turned = token_bits.rotate(drawn)
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    assert turned @ turned.T == pytest.approx(unit @ unit.T, abs=1e-5)


def test_a_token_of_384_dimensions_takes_48_bytes() -> None:
    assert token_bits.pack(tokens(7, 384)).shape == (7, 48)


def test_maxsim_over_bits_is_what_the_definition_says() -> None:
    question = tokens(5, seed=1)
    passages = [token_bits.pack(tokens(n, seed=n)) for n in (3, 1, 17, 2)]
    assert token_bits.maxsim_bits(question, passages) == pytest.approx(
        naive_maxsim(question, passages), abs=1e-5
    )


def test_maxsim_over_floats_is_what_the_definition_says() -> None:
    question, passages = tokens(5, seed=1), [tokens(n, seed=n) for n in (3, 1, 17, 2)]
    expected = [(question @ passage.T).max(axis=1).mean() for passage in passages]
    assert token_bits.maxsim_floats(question, passages) == pytest.approx(expected, abs=1e-6)


def test_a_passage_of_one_token_and_a_question_of_one_token_have_their_cosine() -> None:
    question, passage = tokens(1, seed=1), tokens(1, seed=2)
    assert token_bits.maxsim_floats(question, [passage])[0] == pytest.approx(float(question[0] @ passage[0]))
    assert token_bits.maxsim_bits(question, [token_bits.pack(passage)])[0] == pytest.approx(
        naive_maxsim(question, [token_bits.pack(passage)])[0], abs=1e-6
    )


def test_a_thousand_passages_are_scored_each_as_if_it_were_alone() -> None:
    question = tokens(8, seed=1)
    passages = [token_bits.pack(tokens(1 + n % 9, seed=n)) for n in range(1000)]
    together = token_bits.maxsim_bits(question, passages)
    assert len(together) == 1000
    alone = [token_bits.maxsim_bits(question, [passages[n]])[0] for n in range(0, 1000, 97)]
    assert together[::97] == pytest.approx(np.array(alone), abs=1e-6)


def test_a_dimension_that_is_no_multiple_of_eight_is_not_scored_on_its_padding() -> None:
    question, passages = tokens(4, 30, seed=1), [tokens(3, 30, seed=2), tokens(2, 30, seed=3)]
    signs = [np.where(passage > 0, 1.0, -1.0) / np.sqrt(30) for passage in passages]
    expected = [(question @ sign.T).max(axis=1).mean() for sign in signs]
    assert token_bits.maxsim_bits(question, [token_bits.pack(p) for p in passages]) == pytest.approx(
        expected, abs=1e-5
    )


def test_bits_rank_the_passages_of_the_handbook_as_floats_do(
    handbook: Rag, embedder: SentenceTransformersEmbedder
) -> None:
    passages = [c.chunk.reading for c in handbook.retrieve("How do I reset the tracker?")][::2]
    floats = list(embedder.embed_tokens(passages))
    bits = [token_bits.pack(each) for each in floats]
    for question in ("Who resets the tracker?", "How many litres of nitrogen for LYRA?", "smoke in the dome"):
        asked = embedder.embed_question(question).tokens
        assert asked is not None
        by_bits, by_floats = token_bits.maxsim_bits(asked, bits), token_bits.maxsim_floats(asked, floats)
        assert rank_correlation(by_bits, by_floats) >= 0.9


def rank_correlation(one: Floats, other: Floats) -> float:
    ranks = [values.argsort().argsort() for values in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1]).flat[1])
