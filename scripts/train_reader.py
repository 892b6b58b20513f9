#!/usr/bin/env python
"""Trains the reader: a small cross-encoder that says whether a passage answers a question.

    python scripts/train_reader.py --data DIR --out FOLDER [--config configs/reader.yaml]

DIR holds the collections in BEIR form that scripts/reader_pairs.py names; only their training splits
are read. The body is the embedder's own, all-MiniLM-L6-v2. Three losses: whether each passage answers,
which of a question's passages does, and, where the answer's words are known, where they stand: to point
at them is what teaches to look for them. The pointer is left out of what is written.

Resumes from FOLDER/checkpoint.pt after a kill. Beside the model it writes reader.json: configuration,
seed, hashes of the data and of the weights, figures of the held-out questions.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from beir import read_lines
from reader_pairs import RECIPES, Group, Item, by_cosine, groups, minimal, sentences
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]  # it has no stubs
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, BertForSequenceClassification

from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.models.folder import BUNDLED_NAME, find_model, weights_hash
from rag.types import Floats

# The model with its pointer, for a second round.
POINTED = "with_pointer.pt"


@dataclass(frozen=True, slots=True)
class Config:
    """`frozen`: layers of the body that stay as they are, with the word embeddings, which saves a third of
    the time. `listwise` and `pointer` weigh the second and third loss. `thinned`: share of the answering
    passages that lose a sentence too, so that a gap says nothing. `minimal`: so many questions of each
    collection, as minimal pairs, instead of all as they were mined. `stop_after`: so many steps, with the
    rate as it then is, for another round to go on from."""

    seed: int = 0
    rate: float = 8e-5
    warmup: float = 0.06
    decay: float = 0.01
    epochs: float = 1.0
    tokens_a_batch: int = 5120
    window: int = 256
    frozen: int = 1
    listwise: float = 0.3
    pointer: float = 0.5
    thinned: float = 0.4
    held_out: float = 0.04
    save_every: int = 200
    minimal: Mapping[str, int] | None = None
    stop_after: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A pair in tokens. `span`: first and last token of the answer, or none."""

    ids: tuple[int, ...]
    kinds: tuple[int, ...]
    answers: bool
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Asked:
    origin: str
    rows: tuple[Row, ...]

    @property
    def longest(self) -> int:
        return max(len(row.ids) for row in self.rows)


class Reader(nn.Module):
    def __init__(self, folder: Path, frozen: int) -> None:
        super().__init__()
        # One pass does not overfit, and drawing random numbers costs as much as learning.
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = AutoConfig.from_pretrained(folder, num_labels=1, **still)
        self.model = BertForSequenceClassification.from_pretrained(
            folder, config=config, attn_implementation="sdpa"
        )
        self.pointer = nn.Linear(config.hidden_size, 2)
        fixed = [self.model.bert.embeddings, *self.model.bert.encoder.layer[:frozen]]
        for part in fixed:
            part.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        out = self.model.bert(input_ids=ids, attention_mask=mask, token_type_ids=kinds)
        logits = self.model.classifier(self.model.dropout(out.pooler_output))[:, 0]
        ends = self.pointer(out.last_hidden_state).float()
        return logits.float(), ends.masked_fill(mask[..., None] == 0, -1e4)


def main() -> None:
    options = _options()
    config = Config(**(yaml.safe_load(options.config.read_text()) if options.config else {}))
    torch.manual_seed(config.seed)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    body = find_model(BUNDLED_NAME, None)
    tokenizer = Tokenizer.from_file(str(body / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    everything = _groups(options.data, options.out, config)
    train, held = _split(everything, config)
    if config.minimal:
        train = list(minimal(train, config.minimal, config.seed))
    asked = [a for g in _thinned(train, config) if (a := _asked(tokenizer, g, config)).rows]
    judged = [_asked(tokenizer, g, config) for g in held]
    print(
        f"{len(asked)} questions, {sum(len(a.rows) for a in asked)} pairs; {len(judged)} held out", flush=True
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Reader(body, config.frozen).to(device)
    if options.start:
        model.load_state_dict(torch.load(options.start / POINTED, map_location=device, weights_only=True))
    started = time.perf_counter()
    steps = _train(model, asked, judged, config, options.out / "checkpoint.pt", device)
    figures = _judge(model, judged, device)
    record = {
        "config": dataclasses.asdict(config),
        "body": weights_hash(body),
        "start": weights_hash(options.start) if options.start else None,
        "data": {name: _hash(options.data / name) for name in RECIPES},
        "questions": len(asked),
        "pairs": sum(len(a.rows) for a in asked),
        "steps": steps,
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "device": device,
        "held_out": figures,
    }
    model.model.save_pretrained(options.out)
    torch.save(model.state_dict(), options.out / POINTED)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (body / name).exists():
            (options.out / name).write_bytes((body / name).read_bytes())
    record["weights"] = weights_hash(options.out)
    (options.out / "reader.json").write_text(json.dumps(record, indent=1))
    print(json.dumps(record, indent=1))


def _train(
    model: Reader, asked: Sequence[Asked], judged: Sequence[Asked], config: Config, path: Path, device: str
) -> int:
    batches = list(_batches(asked, config))
    total = len(batches)
    last = min(total, config.stop_after or total)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: _rate(at / total, config.warmup))
    first = 0
    if path.exists():
        kept = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["step"]
    losses: list[float] = []
    since = time.perf_counter()
    for step in range(first, last):
        model.train()
        loss = _loss(model, batches[step], config, device)
        if not torch.isfinite(loss):
            raise SystemExit(f"step {step}: the loss is {loss.item()}; try a lower rate")
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            pace = (time.perf_counter() - since) / (step + 1 - first)
            left = pace * (last - step - 1) / 60
            print(f"{step + 1}/{last} loss {np.mean(losses[-200:]):.4f}, {left:.0f} minutes left", flush=True)
        if (step + 1) % config.save_every == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(
                {**state, "schedule": schedule.state_dict(), "step": step + 1}, path.with_suffix(".part")
            )
            path.with_suffix(".part").replace(path)
        if (step + 1) % (4 * config.save_every) == 0:
            print(json.dumps(_judge(model, judged, device)), flush=True)
    return last


def _loss(model: Reader, batch: Sequence[Asked], config: Config, device: str) -> Tensor:
    rows = [row for one in batch for row in one.rows]
    logits, ends = _run(model, rows, device)
    truth = torch.tensor([float(row.answers) for row in rows], device=device)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, truth)
    at = 0
    chosen = []
    for one in batch:
        own = logits[at : at + len(one.rows)]
        right = [i for i, row in enumerate(one.rows) if row.answers]
        wrong = [i for i, row in enumerate(one.rows) if not row.answers]
        if right and wrong:
            chosen += [-torch.log_softmax(own[[i, *wrong]], 0)[0] for i in right]
        at += len(one.rows)
    if chosen:
        loss = loss + config.listwise * torch.stack(chosen).mean()
    pointed = [i for i, row in enumerate(rows) if row.span]
    if pointed:
        for side in (0, 1):
            goal = torch.tensor([rows[i].span[side] for i in pointed], device=device)  # type: ignore[index]
            loss = loss + config.pointer / 2 * nn.functional.cross_entropy(ends[pointed, :, side], goal)
    return loss


def _run(model: Reader, rows: Sequence[Row], device: str) -> tuple[Tensor, Tensor]:
    width = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, kinds = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        kinds[i, : len(row.ids)] = torch.tensor(row.kinds)
        mask[i, : len(row.ids)] = 1
    with torch.autocast(device, dtype=torch.bfloat16):
        found: tuple[Tensor, Tensor] = model(ids.to(device), mask.to(device), kinds.to(device))
    return found


def _judge(model: Reader, judged: Sequence[Asked], device: str) -> dict[str, float]:
    """Per collection: how often an answering passage is above one that is not, over all its questions."""
    model.eval()
    scores: dict[str, list[float]] = defaultdict(list)
    truth: dict[str, list[bool]] = defaultdict(list)
    with torch.inference_mode():
        for one in judged:
            logits, _ = _run(model, one.rows, device)
            scores[one.origin] += logits.tolist()
            truth[one.origin] += [row.answers for row in one.rows]
    return {
        name: round(float(roc_auc_score(truth[name], scores[name])), 4)
        for name in scores
        if len(set(truth[name])) == 2
    }


def _groups(data: Path, out: Path, config: Config) -> list[Group]:
    """Mined once: the same questions after a kill."""
    path = out / "groups.jsonl"
    if not path.exists():
        embedder = SentenceTransformersSettings(token_bits=False).build()

        def vectors(texts: Sequence[str]) -> Floats:
            return np.stack([found.vector for found in embedder.embed_passages(list(texts))])

        lines = [json.dumps(dataclasses.asdict(g)) for g in groups(data, by_cosine(vectors), config.seed)]
        path.with_suffix(".part").write_text("\n".join(lines))
        path.with_suffix(".part").replace(path)
    rows = read_lines(path)
    return [Group(r["origin"], r["question"], tuple(Item(**item) for item in r["items"])) for r in rows]


def held_out_questions(folder: Path, config: Config) -> frozenset[str]:
    """Those that the model in this folder was not trained on."""
    rows = read_lines(folder / "groups.jsonl")
    _, held = _split([Group(row["origin"], row["question"], ()) for row in rows], config)
    return frozenset(group.question for group in held)


def _split(everything: Sequence[Group], config: Config) -> tuple[list[Group], list[Group]]:
    rng = random.Random(config.seed)
    held = {(g.origin, g.question) for g in everything if rng.random() < config.held_out}
    train = [g for g in everything if (g.origin, g.question) not in held]
    return train, [g for g in everything if (g.origin, g.question) in held]


def _thinned(train: Sequence[Group], config: Config) -> Iterator[Group]:
    rng = random.Random(config.seed)
    for group in train:
        items = tuple(_thin(i, rng) if rng.random() < config.thinned else i for i in group.items)
        yield Group(group.origin, group.question, items)


def _thin(item: Item, rng: random.Random) -> Item:
    if not item.answers or not item.answer:
        return item
    parts = sentences(item.passage)
    spare = [i for i, part in enumerate(parts) if item.answer.lower() not in part.lower()]
    if not spare or len(parts) < 3:
        return item
    gone = rng.choice(spare)
    return dataclasses.replace(item, passage=" ".join(p for i, p in enumerate(parts) if i != gone))


def _asked(tokenizer: Tokenizer, group: Group, config: Config) -> Asked:
    return Asked(group.origin, tuple(_row(tokenizer, item, config.window) for item in group.items))


def _row(tokenizer: Tokenizer, item: Item, window: int) -> Row:
    encoding = tokenizer.encode(item.question, item.passage)
    if len(encoding) > window:
        encoding.truncate(window)
    start = item.passage.lower().find(item.answer.lower()) if item.answers and item.answer else -1
    span = None
    if start >= 0:
        end = start + len(item.answer)
        inside = [
            i
            for i, ((a, b), of) in enumerate(zip(encoding.offsets, encoding.sequence_ids, strict=True))
            if of == 1 and a < end and b > start
        ]
        span = (inside[0], inside[-1]) if inside else None
    return Row(tuple(encoding.ids), tuple(encoding.type_ids), item.answers, span)


def _batches(asked: Sequence[Asked], config: Config) -> Iterator[list[Asked]]:
    """Of about the same length together; which ones, and their order, changes with the epoch."""
    whole, rest = int(config.epochs), config.epochs % 1
    for epoch in range(whole + (rest > 0)):
        rng = random.Random(f"{config.seed} {epoch}")
        order = sorted(asked, key=lambda one: one.longest * rng.uniform(0.8, 1.25))
        made: list[list[Asked]] = [[]]
        for one in order:
            there = [*made[-1], one]
            if made[-1] and _padded(there) > config.tokens_a_batch:
                made.append([])
            made[-1].append(one)
        rng.shuffle(made)
        yield from made[: round(len(made) * rest)] if epoch == whole else made


def _padded(batch: Sequence[Asked]) -> int:
    return max(one.longest for one in batch) * sum(len(one.rows) for one in batch)


def _rate(done: float, warmup: float) -> float:
    return done / warmup if done < warmup else max(0.0, (1 - done) / (1 - warmup))


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and eval/ in BEIR form")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--config", type=Path, help="YAML with the keys of Config; without it the defaults")
    parser.add_argument("--start", type=Path, help="folder of an earlier round to go on from")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
