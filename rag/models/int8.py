"""A network in 8-bit integers: weights by channel, activations by what real texts put through them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from itertools import islice
from typing import Any

from rag.errors import ConfigError
from rag.files.shipped import handbook
from rag.models.tokens import Batch, Tokens

# So many texts show how large activations get; more change nothing.
_TEXTS = 100


def quantized(graph: Any, texts: Sequence[Tokens]) -> Any:
    """The graph with its products in int8, measured on these texts."""
    if find_spec("nncf") is None:
        raise ConfigError("precision int8 needs nncf, once for each model: pip install nncf")
    os.environ.setdefault("NNCF_CI", "1")  # it would tell its makers
    import nncf  # type: ignore[import-untyped]  # it ships no types

    inputs = len(graph.inputs)
    batches = nncf.Dataset(
        [Batch.of([text]) for text in texts], lambda b: dict(enumerate((b.ids, b.mask, b.types)[:inputs]))
    )
    nncf.set_log_level(40)
    with redirect_stdout(sys.stderr):  # its progress: the output is the caller's
        return nncf.quantize(graph, batches, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(texts))


def sample_texts() -> list[str]:
    """Sections of the handbook that comes with rag: prose, lists and tables."""
    files = sorted(handbook().rglob("*.md"))
    sections = (section for file in files for section in file.read_text("utf-8").split("\n## "))
    return list(islice((section for section in sections if len(section) > 200), _TEXTS))
