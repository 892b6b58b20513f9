"""A reader as a student: does the passage answer, which of a question's passages does, and which words do.

The rate follows the time that is left, so that training ends when it should on whatever machine. What is
kept is a running mean of the weights. Short windows come first: most of reading is learned on a few
sentences, which take less time than whole passages.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.models.tokenizer import load_tokenizer
from rag.training.learning.checkpoint import Checkpoint
from rag.training.lessons.reading import Group, Item, drawn, place_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from rag.models.torch_reading import ReadingNetwork

# Questions whose passages are sorted by length into batches.
_TOGETHER = 320
_NO_MARK = -1.0


@dataclass(frozen=True, slots=True)
class ReadingRecipe:
    """`frozen`: layers of the body that stay as they are, with its embeddings. `heads`: how much faster the
    heads learn. `listwise`, `marks`, `pointed`: weights of the losses after the first. `mean`: what a step
    keeps of it. `short`: share of the time in which windows are short."""

    seed: int = 0
    rate: float = 2e-4
    heads: float = 8.0
    warmup: float = 0.03
    least: float = 0.02
    decay: float = 0.01
    tokens: int = 2400
    window: int = 224
    frozen: int = 2
    listwise: float = 0.3
    marks: float = 4.0
    pointed: float = 0.3
    mean: float = 0.995
    short: float = 0.55
    save_seconds: float = 180.0


@dataclass(frozen=True, slots=True)
class Row:
    """A pair in tokens. `span`: the tokens of the answer. `known`: where nobody knows, no mark is learned."""

    ids: Sequence[int]
    types: Sequence[int]
    answers: bool
    span: tuple[int, int] | None

    @property
    def known(self) -> bool:
        return self.span is not None or not self.answers


@dataclass(slots=True)
class _State:
    """How far it is: `seconds` spent, `place` among the questions of this pass."""

    step: int = 0
    seconds: float = 0.0
    done_passes: int = 0
    place: int = 0


class ReadingCourse:
    def __init__(
        self,
        network: ReadingNetwork,
        body: Path,
        recipe: ReadingRecipe,
        minutes: float,
        kept: Checkpoint,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import torch

        for part in (network.bert.embeddings, *network.bert.encoder.layer[: recipe.frozen]):
            part.requires_grad_(False)
        self._network = network
        self._tokenizer = load_tokenizer(body)
        self._recipe = recipe
        self._seconds = minutes * 60
        self._kept = kept
        self._learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._mean = {name: p.detach().clone() for name, p in self._learned.items()}
        body_part = [p for n, p in self._learned.items() if n.startswith("bert.") and "pooler" not in n]
        heads = [p for n, p in self._learned.items() if not n.startswith("bert.") or "pooler" in n]
        parts = [{"params": body_part}, {"params": heads}]
        self._optimizer = torch.optim.AdamW(parts, lr=recipe.rate, weight_decay=recipe.decay)
        self._state = _State()
        self._clock = clock
        self._since = clock()

    def run(self, lessons: Sequence[Group], tell: Callable[[str], None]) -> Mapping[str, float]:
        """Leaves the network with the mean of its weights."""
        self._resume()
        saved, losses = self._clock(), []
        while self._done < 1:
            for batch in self._batches(lessons):
                if self._done >= 1:
                    break
                losses.append(self._step(batch))
                if self._state.step % 50 == 0:
                    tell(self._told(losses[-150:]))
                if self._clock() - saved > self._recipe.save_seconds:
                    self._save()
                    saved = self._clock()
            else:
                self._state.done_passes, self._state.place = self._state.done_passes + 1, 0
        self._save()
        self.take_mean()
        passes = self._state.done_passes + self._state.place / len(lessons)
        return {"steps": self._state.step, "passes": round(passes, 2), "minutes": self._seconds / 60}

    def take_mean(self) -> None:
        for name, parameter in self._learned.items():
            parameter.data.copy_(self._mean[name])

    @property
    def _done(self) -> float:
        return (self._state.seconds + self._clock() - self._since) / self._seconds

    def _batches(self, lessons: Sequence[Group]) -> Iterator[list[list[Row]]]:
        """Of about like length; which passages, and how much of them, this pass decides."""
        recipe, state = self._recipe, self._state
        order = list(range(len(lessons)))
        random.Random(f"{recipe.seed} {state.done_passes}").shuffle(order)
        while state.place < len(order):
            rng = random.Random(f"{recipe.seed} {state.done_passes} {state.place}")
            some = order[state.place : state.place + _TOGETHER]
            state.place += _TOGETHER
            short = self._done < recipe.short
            rows = [
                [row_of(self._tokenizer, item, recipe.window) for item in drawn(lessons[i], rng, short)]
                for i in some
            ]
            yield from _packed(rows, recipe.tokens, rng)

    def _step(self, batch: Sequence[Sequence[Row]]) -> list[float]:
        import torch

        for part, factor in zip(self._optimizer.param_groups, (1.0, self._recipe.heads), strict=True):
            part["lr"] = self._rate() * factor
        recipe, losses = self._recipe, losses_of(self._network, batch)
        weights = (1.0, recipe.listwise, recipe.marks, recipe.pointed)
        total = torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True)]).sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        torch.nn.utils.clip_grad_norm_(self._learned.values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._state.step += 1
        keep = min(self._recipe.mean, self._state.step / (self._state.step + 10))
        for name, parameter in self._learned.items():
            self._mean[name].mul_(keep).add_(parameter.detach(), alpha=1 - keep)
        return [loss.item() for loss in losses]

    def _rate(self) -> float:
        done, recipe = self._done, self._recipe
        if done < recipe.warmup:
            return recipe.rate * done / recipe.warmup
        return recipe.rate * max(recipe.least, (1 - done) / (1 - recipe.warmup))

    def _told(self, losses: Sequence[Sequence[float]]) -> str:
        left = self._seconds * (1 - self._done) / 60
        told = ", ".join(f"{loss:.3f}" for loss in np.mean(losses, axis=0))
        return f"step {self._state.step}, {left:.0f} minutes left; losses {told}"

    def _save(self) -> None:
        state = self._state
        state.seconds += self._clock() - self._since
        self._since = self._clock()
        place = (state.step, state.seconds, state.done_passes, state.place)
        weights = {name: p.detach() for name, p in self._learned.items()}
        optimizer = self._optimizer.state_dict()
        self._kept.write({"weights": weights, "mean": self._mean, "optimizer": optimizer, "place": place})

    def _resume(self) -> None:
        self._since = self._clock()
        if (kept := self._kept.read()) is None:
            return
        for name, parameter in self._learned.items():
            parameter.data.copy_(kept["weights"][name])
        self._mean = kept["mean"]
        self._optimizer.load_state_dict(kept["optimizer"])
        self._state = _State(*kept["place"])


def row_of(tokenizer: Tokenizer, item: Item, window: int) -> Row:
    encoding = tokenizer.encode(item.question, item.passage)
    if len(encoding) > window:
        encoding.truncate(window)
    span = None
    if item.answers and item.answer:
        start = place_of(item.passage, item.answer, item.question)
        end = start + len(item.answer)
        inside = [
            i
            for i, ((a, b), of) in enumerate(zip(encoding.offsets, encoding.sequence_ids, strict=True))
            if of == 1 and a < end and b > start
        ]
        span = (inside[0], inside[-1] + 1) if start >= 0 and inside else None
    return Row(encoding.ids, encoding.type_ids, item.answers, span)


def losses_of(network: ReadingNetwork, batch: Sequence[Sequence[Row]]) -> list[Tensor]:
    """Whether each passage answers; which of a question's passages does; which tokens are part of an answer,
    each by itself; and among a passage's tokens, so that a short answer weighs as much as a long one."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as loss

    rows = [row for question in batch for row in question]
    ids, mask, types, goal = tensors(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, marks = network(ids, mask, types)
    answers = loss(logits, torch.tensor([float(row.answers) for row in rows]))
    none, known = answers * 0, goal != _NO_MARK
    tokens = loss(marks[known], goal[known]) if known.any() else none
    firsts, at = [], 0
    for question in batch:
        if question[0].answers and len(question) > 1:
            firsts.append(-torch.log_softmax(logits[at : at + len(question)], 0)[0])
        at += len(question)
    spans = [i for i, row in enumerate(rows) if row.span]
    among, right = (
        marks[spans].masked_fill(~here[spans], -1e4).logsumexp(1) for here in (known, goal == 1.0)
    )
    pointed = (among - right).mean() if spans else none
    return [answers, torch.stack(firsts).mean() if firsts else none, tokens, pointed]


def tensors(rows: Sequence[Row]) -> tuple[Any, Any, Any, Any]:
    """ids, mask, types, and for each token of a passage whether it is part of the answer."""
    import torch

    width = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    goal = torch.full((len(rows), width), _NO_MARK)
    for i, row in enumerate(rows):
        size = len(row.ids)
        ids[i, :size], types[i, :size], mask[i, :size] = torch.tensor(row.ids), torch.tensor(row.types), 1
        if row.known:
            goal[i, :size][types[i, :size] == 1] = 0.0
            goal[i, size - 1] = _NO_MARK  # the marker at the end
            if row.span:
                goal[i, slice(*row.span)] = 1.0
    return ids, mask, types, goal


def _packed(drawn: list[list[Row]], tokens: int, rng: random.Random) -> list[list[list[Row]]]:
    drawn = sorted(filter(None, drawn), key=lambda rows: _longest(rows) * rng.uniform(0.9, 1.1))
    made: list[list[list[Row]]] = [[]]
    for rows in drawn:
        together = [*made[-1], rows]
        padded = max(map(_longest, together)) * sum(map(len, together))
        if made[-1] and padded > tokens:
            made.append([])
        made[-1].append(rows)
    rng.shuffle(made)
    return made


def _longest(rows: Sequence[Row]) -> int:
    return max(len(row.ids) for row in rows)


def calibrate(
    network: ReadingNetwork, body: Path, groups: Sequence[Group], window: int
) -> tuple[float, float]:
    """So that the logistic function of a logit is how often such a passage answers: a factor and a bias,
    fitted on natural passages that were not learned from, and put into the heads. Returns both."""
    import torch

    tokenizer, found, answers = load_tokenizer(body), [], []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for group in groups:
            natural = [item for item in group.items if item.kind in ("", "near")]
            if rows := [row_of(tokenizer, item, window) for item in natural]:
                found.append(network(*tensors(rows)[:3])[0])
                answers += [float(row.answers) for row in rows]
    factor, bias = _logistic(torch.cat(found), torch.tensor(answers))
    with torch.no_grad():
        for parameter in (*network.answers.parameters(), *network.best.parameters()):
            parameter.mul_(factor)
        network.answers.bias.add_(bias)
    return factor, bias


def _logistic(logits: Tensor, truth: Tensor) -> tuple[float, float]:
    import torch

    factor, bias = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([factor, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        told = torch.nn.functional.binary_cross_entropy_with_logits(factor * logits + bias, truth)
        # A weak pull towards the logits as they are keeps few examples from any extreme.
        value = told + 1e-3 * ((factor - 1) ** 2).sum()
        value.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return float(factor.detach()), float(bias.detach())
