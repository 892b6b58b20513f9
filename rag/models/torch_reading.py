"""The reader's network in torch: what trains it, and what runs it where nothing faster does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.utils.logging import disable_progress_bar

from rag.models.bert import Bert
from rag.models.folder import weights_hash
from rag.models.queue import Outputs
from rag.models.reading import RECORD, WEIGHTS
from rag.models.tokens import Batch

# Few tokens are part of an answer: so it begins with what is likely.
_RARE = -3.0
_UNMARKED = -30.0


class ReadingNetwork(nn.Module):
    """A body, a head for each token, and one for the pair, which looks at the best token too: a passage
    that answers has one that is part of the answer."""

    def __init__(self, body: Path) -> None:
        super().__init__()
        disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
        # Few passes do not overfit, and to draw the random numbers takes as long as to learn.
        config = BertConfig.from_pretrained(body, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        self.bert = BertModel.from_pretrained(body, config=config, attn_implementation="eager")
        self.answers = nn.Linear(config.hidden_size, 1)
        self.marks = nn.Linear(config.hidden_size, 1)
        self.best = nn.Linear(1, 1)
        nn.init.constant_(self.marks.bias, _RARE)
        nn.init.zeros_(self.answers.weight)
        nn.init.constant_(self.answers.bias, -_RARE / 2)
        nn.init.ones_(self.best.weight)
        nn.init.zeros_(self.best.bias)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the pairs, and of their tokens."""
        out = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)
        marks = self.marks(out.last_hidden_state)[..., 0].float()
        best = marks.masked_fill((types * mask) == 0, _UNMARKED).amax(1, keepdim=True)
        return (self.answers(out.pooler_output) + self.best(best))[:, 0].float(), marks


class TorchReading:
    def __init__(self, bert: Bert) -> None:
        self._network = read_network(bert).eval()
        self._lock = Lock()

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        given = [torch.from_numpy(part) for part in (batch.ids, batch.mask, batch.types)]
        with self._lock, torch.inference_mode():
            logits, marks = self._network(*given)
        done((logits.numpy(), marks.sigmoid().numpy()))


def save_network(network: ReadingNetwork, body: Path, folder: Path, record: Mapping[str, Any]) -> None:
    """What differs from the body, in half the bytes, and the record that names both."""
    ours, theirs = network.state_dict(), ReadingNetwork(body).state_dict()
    learned = {
        name.removeprefix("bert."): value.half().contiguous()
        for name, value in ours.items()
        if not name.startswith("bert.") or not torch.equal(value, theirs[name])
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(learned, folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    told = {**record, "body": weights_hash(body), "weights": digest}
    (folder / RECORD).write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def read_network(bert: Bert) -> ReadingNetwork:
    network = ReadingNetwork(bert.folder)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            value = bert.head(name.removeprefix("bert."))
            parameter.copy_(torch.from_numpy(value))
    return network
