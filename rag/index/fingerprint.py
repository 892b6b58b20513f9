"""What decides which vectors and passages an index holds, as one string."""

from __future__ import annotations

from rag.protocols import Chunker
from rag.types import EmbedderCard


def fingerprint(card: EmbedderCard, chunker: Chunker) -> str:
    """What must not change under an index: equal fingerprints make equal passages and vectors."""
    return f"{vectors_by(card)}; {chunker.fingerprint}"


def vectors_by(card: EmbedderCard) -> str:
    prompts = f"prompts={card.question_prompt!r}/{card.passage_prompt!r}"
    tokens = "1bit" if card.tokens else "none"
    return f"{card.name}@{card.revision} {card.dimension}d window={card.window} {prompts} tokens={tokens}"
