"""What decides which vectors and passages an index holds, as one string."""

from __future__ import annotations

from rag.protocols import Chunker
from rag.types import EmbedderCard

# Before the version of a chunker, which ends its fingerprint. Passages of two versions get along: their
# vectors are of one kind, so an index of the version before answers as it did.
_CUT = " cut="


def fingerprint(card: EmbedderCard, chunker: Chunker) -> str:
    """What must not change under an index: equal fingerprints make equal passages and vectors."""
    return f"{vectors_by(card)}; {chunker.fingerprint}"


def settings_of(fingerprint: str) -> str:
    """Without the version of a chunker: what a user chose, and a newer version keeps."""
    return fingerprint.split(_CUT)[0]


def vectors_by(card: EmbedderCard) -> str:
    prompts = f"prompts={card.question_prompt!r}/{card.passage_prompt!r}"
    tokens = "1bit" if card.tokens else "none"
    return f"{card.name}@{card.revision} {card.dimension}d window={card.window} {prompts} tokens={tokens}"
