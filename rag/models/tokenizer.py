"""A model's tokenizer, whose settings never change: only so can threads share it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import InputError
from rag.models.soundness import damaged
from rag.models.tokens import Tokens

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer


@lru_cache(maxsize=8)
def load_tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode("Does it read?")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of Rust's is no Exception
        raise damaged(path, str(error)[:300]) from None
    return tokenizer


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str], window: int) -> list[Tokens]:
    """Each text up to the window, with the model's markers around it."""
    room = max(window - tokenizer.num_special_tokens_to_add(False), 1)
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [marked(tokenizer, encoding, None, room) for encoding in encodings]


def marked(tokenizer: Tokenizer, first: Encoding, second: Encoding | None, room: int) -> Tokens:
    """One text or two, with the model's markers; the last of them up to the room that it has."""
    # Cut here, not by the tokenizer.
    (first if second is None else second).truncate(room)
    whole = tokenizer.post_process(first, second)
    return Tokens(whole.ids, whole.type_ids)


# A passage cut to fewer tokens than this says too little to be judged.
_LEAST_PASSAGE = 32


def room_for_passage(asked: int, window: int, markers: int) -> int:
    """What the question leaves of the window. It is never cut itself: libraries cut the longer one."""
    room = window - markers - asked
    if room < _LEAST_PASSAGE:
        raise InputError(
            f"the question has {asked} tokens; the reranker's model reads {window} with the passage: "
            f"ask in at most {window - markers - _LEAST_PASSAGE} or choose a reranker with a longer window"
        )
    return room
