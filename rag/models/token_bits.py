"""Token vectors as one bit a dimension, and MaxSim over them.

A fixed random rotation spreads what a vector knows evenly over its dimensions; then the signs
alone rank as well as the floats do, in 1/32 of the space. The question stays in floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rag.types import Bits, Floats

_BLOCK = 256
# OpenBLAS computes larger products on several threads, which wait for each other: where other work keeps the
# cores busy, that makes them many times slower.
_SMALL = 262_144


@lru_cache(maxsize=4)
def rotation(dimension: int) -> Floats:
    """The rotation for this dimension: the same for ever, since stored bits depend on it."""
    # RandomState's stream is frozen by numpy's promise; Generator's is not.
    gaussian = np.random.RandomState(20_260_101).standard_normal((dimension, dimension))
    q, r = np.linalg.qr(gaussian)
    signs: Floats = (q * np.sign(np.diag(r))).astype(np.float32)
    return signs


def rotate(tokens: Floats) -> Floats:
    """Unit length, in the rotated frame."""
    return unit(tokens) @ rotation(tokens.shape[1])


def unit(tokens: Floats) -> Floats:
    lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
    scaled: Floats = tokens / np.maximum(lengths, 1e-12)
    return scaled


def pack(rotated: Floats) -> Bits:
    return np.packbits(rotated > 0, axis=1)


def maxsim_bits(question: Floats, passages: Sequence[Bits]) -> Floats:
    """For each passage: each question token's best cosine among its tokens, averaged."""
    dimension = question.shape[1]
    # With signs s = 2u - 1: q·s = 2 q·u - sum(q); the signs' own length is sqrt(dimension).
    products = _products(np.ascontiguousarray(question.T), np.concatenate(passages))
    best = np.maximum.reduceat(products, _starts(passages), axis=0)
    means: Floats = ((2 * best - question.sum(axis=1)) / np.sqrt(dimension)).mean(axis=1)
    return means


def cosines(question: Floats, passage: Bits) -> Floats:
    """Of each question token (a row) with each token of one passage."""
    products = _products(np.ascontiguousarray(question.T), passage)
    found: Floats = ((2 * products - question.sum(axis=1)) / np.sqrt(question.shape[1])).T
    return found


def _products(question: Floats, bits: Bits) -> Floats:
    """bits × question, unpacked a block at a time: what fits into a core's own cache is twice as fast."""
    dimension = len(question)
    block = np.empty((_BLOCK, dimension), np.float32)
    products = np.empty((len(bits), question.shape[1]), np.float32)
    rows = max(1, _SMALL // question.size)
    for at in range(0, len(bits), _BLOCK):
        part = bits[at : at + _BLOCK]
        block[: len(part)] = np.unpackbits(part, axis=1, count=dimension)
        for start in range(0, len(part), rows):
            end = min(start + rows, len(part))
            np.matmul(block[start:end], question, out=products[at + start : at + end])
    return products


def maxsim_floats(question: Floats, passages: Sequence[Floats]) -> Floats:
    """The same over float token vectors of unit length."""
    products = question @ np.concatenate(passages).T
    means: Floats = np.maximum.reduceat(products, _starts(passages), axis=1).mean(axis=0)
    return means


def _starts(passages: Sequence[Bits] | Sequence[Floats]) -> list[int]:
    """Where each passage begins in the stack. Empty ones must not come here: reduceat would misread them."""
    starts, at = [], 0
    for passage in passages:
        starts.append(at)
        at += len(passage)
    return starts
