"""The network of a BERT as an OpenVINO graph, made from its weights: nothing to convert, no torch.

Written out rather than traced, it computes no more than what is read: a cross-encoder's last layer
for the first token alone, an embedder's token vectors already in the frame that their bits are taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from openvino import Model  # type: ignore[import-untyped]  # it ships no types
from openvino import opset15 as ops

from rag.models.bert import Bert, Pooling

if TYPE_CHECKING:
    from openvino import Node

    from rag.types import Floats

# Added to the attention of padding: nothing is left of it, in bf16 either.
_OUT_OF_SIGHT = -1e9
# A mark, as a logit, far below any that a token gets.
_UNMARKED = -30.0


def sentence_graph(bert: Bert, pooling: Pooling, frame: Floats) -> Model:
    """ids, mask → vectors [texts, hidden] and token vectors in the frame [texts, tokens, hidden]."""
    ids, mask = _input("ids"), _input("mask")
    hidden = _Body(bert, ids, mask, None).all_layers()
    vectors = _first(hidden) if pooling == "cls" else _mean(hidden, mask)
    tokens = ops.matmul(hidden, _constant(frame), False, False)
    return Model([vectors, tokens], [ids, mask], "sentence")


def pair_graph(bert: Bert) -> Model:
    """ids, mask, types → logits [pairs]."""
    ids, mask, types = _input("ids"), _input("mask"), _input("types")
    first = _first(_Body(bert, ids, mask, types).last_for_first())
    if bert.family == "bert":
        pooled = ops.tanh(_linear(first, bert.body("pooler.dense.weight"), bert.body("pooler.dense.bias")))
        logits = _linear(pooled, bert.head("classifier.weight"), bert.head("classifier.bias"))
    else:
        dense = _linear(first, bert.head("classifier.dense.weight"), bert.head("classifier.dense.bias"))
        logits = _linear(
            ops.tanh(dense), bert.head("classifier.out_proj.weight"), bert.head("classifier.out_proj.bias")
        )
    return Model([ops.squeeze(logits, _constant(np.int64(1)))], [ids, mask, types], "pair")


def reading_graph(bert: Bert) -> Model:
    """ids, mask, types → logits [pairs], that the pair's second text answers, and of each token
    [pairs, tokens] the probability that it is part of the answer."""
    ids, mask, types = _input("ids"), _input("mask"), _input("types")
    hidden = _Body(bert, ids, mask, types).all_layers()
    pooled = ops.tanh(
        _linear(_first(hidden), bert.body("pooler.dense.weight"), bert.body("pooler.dense.bias"))
    )
    marks = ops.squeeze(
        _linear(hidden, bert.head("marks.weight"), bert.head("marks.bias")), _constant(np.int64(2))
    )
    best = ops.reduce_max(_of_the_second(marks, mask, types), _constant(np.array([1])), True)
    logits = ops.add(
        _linear(pooled, bert.head("answers.weight"), bert.head("answers.bias")),
        _linear(best, bert.head("best.weight"), bert.head("best.bias")),
    )
    return Model(
        [ops.squeeze(logits, _constant(np.int64(1))), ops.sigmoid(marks)], [ids, mask, types], "reading"
    )


def _of_the_second(marks: Node, mask: Node, types: Node) -> Node:
    """The second text's marks as they are, those of other tokens far below."""
    there = ops.convert(ops.multiply(mask, types), "f32")
    away = ops.multiply(ops.subtract(there, _constant(np.float32(1))), _constant(np.float32(-_UNMARKED)))
    return ops.add(ops.multiply(marks, there), away)


class _Body:
    def __init__(self, bert: Bert, ids: Node, mask: Node, types: Node | None) -> None:
        self._bert = bert
        self._start = self._embedded(ids, types)
        seen = ops.convert(ops.unsqueeze(mask, _constant(np.array([1, 2]))), "f32")
        self._bias = ops.multiply(
            ops.subtract(_constant(np.float32(1)), seen), _constant(np.float32(_OUT_OF_SIGHT))
        )

    def all_layers(self) -> Node:
        hidden = self._start
        for number in range(self._bert.layers):
            hidden = self._layer(number, hidden, hidden)
        return hidden

    def last_for_first(self) -> Node:
        """The last layer needs all tokens as keys and values, and the first alone as query."""
        hidden = self._start
        for number in range(self._bert.layers - 1):
            hidden = self._layer(number, hidden, hidden)
        zero, one, step = (_constant(np.array([n], np.int64)) for n in (0, 1, 1))
        first = ops.slice(hidden, zero, one, step, _constant(np.array([1], np.int64)))
        return self._layer(self._bert.layers - 1, first, hidden)

    def _embedded(self, ids: Node, types: Node | None) -> Node:
        bert = self._bert
        zero = _constant(np.int64(0))
        words = ops.gather(_constant(bert.body("embeddings.word_embeddings.weight")), ids, zero)
        kinds = bert.body("embeddings.token_type_embeddings.weight")
        kind = ops.gather(_constant(kinds), types, zero) if types and bert.types > 1 else _constant(kinds[0])
        positions = ops.slice(
            _constant(bert.body("embeddings.position_embeddings.weight")[bert.first_position :]),
            _constant(np.array([0], np.int64)),
            ops.gather(ops.shape_of(ids), _constant(np.array([1], np.int64)), zero),
            _constant(np.array([1], np.int64)),
            _constant(np.array([0], np.int64)),
        )
        return self._norm(ops.add(ops.add(words, kind), positions), "embeddings.LayerNorm")

    def _layer(self, number: int, asking: Node, asked: Node) -> Node:
        layer = f"encoder.layer.{number}."
        attention = layer + "attention."
        query = self._in_heads(self._dense(asking, attention + "self.query"))
        key = self._in_heads(self._dense(asked, attention + "self.key"))
        value = self._in_heads(self._dense(asked, attention + "self.value"))
        seen = ops.scaled_dot_product_attention(query, key, value, self._bias, causal=False)
        together = ops.reshape(
            ops.transpose(seen, _constant(np.array([0, 2, 1, 3]))),
            _constant(np.array([0, 0, self._bert.hidden])),
            special_zero=True,
        )
        attended = ops.add(self._dense(together, attention + "output.dense"), asking)
        attended = self._norm(attended, attention + "output.LayerNorm")
        inner = ops.gelu(self._dense(attended, layer + "intermediate.dense"), self._bert.gelu)
        return self._norm(
            ops.add(self._dense(inner, layer + "output.dense"), attended), layer + "output.LayerNorm"
        )

    def _in_heads(self, tokens: Node) -> Node:
        heads = self._bert.heads
        split = _constant(np.array([0, 0, heads, self._bert.hidden // heads]))
        return ops.transpose(ops.reshape(tokens, split, special_zero=True), _constant(np.array([0, 2, 1, 3])))

    def _dense(self, tokens: Node, name: str) -> Node:
        return _linear(tokens, self._bert.body(name + ".weight"), self._bert.body(name + ".bias"))

    def _norm(self, tokens: Node, name: str) -> Node:
        level = ops.mvn(tokens, _constant(np.array([-1])), True, self._bert.epsilon, "INSIDE_SQRT")
        scaled = ops.multiply(level, _constant(self._bert.body(name + ".weight")))
        return ops.add(scaled, _constant(self._bert.body(name + ".bias")))


def _input(name: str) -> Node:
    return ops.parameter([-1, -1], np.int64, name=name)


def _constant(value: Any) -> Node:
    return ops.constant(np.asarray(value), shared_memory=True)


def _linear(tokens: Node, weight: Floats, bias: Floats) -> Node:
    return ops.add(ops.matmul(tokens, _constant(weight), False, True), _constant(bias))


def _first(hidden: Node) -> Node:
    return ops.gather(hidden, _constant(np.int64(0)), _constant(np.int64(1)))


def _mean(hidden: Node, mask: Node) -> Node:
    weights = ops.unsqueeze(ops.convert(mask, "f32"), _constant(np.int64(2)))
    over_tokens = _constant(np.array([1]))
    total = ops.reduce_sum(ops.multiply(hidden, weights), over_tokens, False)
    return ops.divide(total, ops.reduce_sum(weights, over_tokens, False))
