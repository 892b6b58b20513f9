"""What training makes small. torch's tensors come and go here; nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# The scale that all-MiniLM-L6-v2 and its kin were themselves trained with.
DENSE_SCALE = 20.0
# No passage may win by it.
NEVER = -1e4


def maxsim(questions: Sequence[Tensor], passages: Sequence[Tensor]) -> Tensor:
    """[questions, passages]: each question token's best cosine among the passage's tokens, averaged.

    As `rag.token_bits` does it at question time, but in floats: bits have no slope.
    """
    import torch

    cosines = torch.cat(list(questions)) @ torch.cat(list(passages)).T
    columns = torch.split(cosines.float(), [len(passage) for passage in passages], dim=1)
    best = torch.stack([column.amax(dim=1) for column in columns], dim=1)
    rows = torch.split(best, [len(question) for question in questions])
    return torch.stack([row.mean(dim=0) for row in rows])


def contrast(scores: Tensor, right: Sequence[int], hidden: Sequence[Sequence[int]]) -> Tensor:
    """InfoNCE: the right passage against all others of the step but those that may be right too."""
    import torch
    from torch.nn.functional import cross_entropy

    mask = torch.zeros_like(scores, dtype=torch.bool)
    for row, places in enumerate(hidden):
        mask[row, list(places)] = True
    return cross_entropy(
        scores.float().masked_fill(mask, NEVER), torch.tensor(list(right), device=scores.device)
    )
