"""Models of a few thousand weights, drawn at random: everything about them is real but what they know."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from rag.models.folder import BUNDLED_NAME, find_model
from rag.training.lessons.lesson import Lesson, Text
from rag.training.recipe import Recipe

RECIPE = Recipe(
    rate=1e-3, questions=4, wrong=1, pairs=0, tokens=32, question_tokens=16, evaluations=3, patience=9
)


def bert(folder: Path, kind: Any = BertModel) -> Path:
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    shape.num_labels = 1
    kind(shape).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (file := find_model(BUNDLED_NAME, None) / name).exists():
            shutil.copy(file, folder / name)
    return folder


def bi_encoder(folder: Path) -> Path:
    """In sentence-transformers' own form."""
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(bert(folder / "body"))).save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def cross_encoder(folder: Path) -> Path:
    return bert(folder, BertForSequenceClassification)


def multi_vector(folder: Path) -> Path:
    from sentence_transformers import MultiVectorEncoder

    MultiVectorEncoder(str(bert(folder / "body"))).save(str(folder / "model"))
    return folder / "model"


def lessons(count: int = 12) -> list[Lesson]:
    """What an animal is called here and there."""
    words = ["otter", "heron", "badger", "lynx", "stork", "weasel", "marten", "crane", "beaver", "viper"]
    return [
        Lesson(
            question=f"who is the {words[i % 10]} of place {i}",
            right=(Text(f"d{i}", f"Place {i} is where the {words[(i + 3) % 10]} lives."),),
            weights=(1.0,),
            wrong=tuple(Text(f"w{i}-{n}", f"Place {i + n} has a {words[(i + n) % 10]}.") for n in (1, 2)),
            answering=frozenset({f"d{i}"}),
        )
        for i in range(count)
    ]
