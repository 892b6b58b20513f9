"""Models by OpenVINO on the CPU: two to five times as fast as torch, and ready in a tenth of a second."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from rag.models.choice import Precision
from rag.models.compiled import forget, kept
from rag.models.queue import Outputs
from rag.models.tokens import Batch
from rag.threads.one_a_core import cores

if TYPE_CHECKING:
    from openvino import AsyncInferQueue, CompiledModel, Core, Model  # type: ignore[import-untyped]  # it ships no types


class OpenVinoEngine:
    """One stream a core, each computing a batch of its own: faster than all cores on one batch.

    Compiled, a model is kept on disk under its `name`, which stands for its weights and its shape.
    """

    def __init__(self, name: str, graph: Callable[[], Model], precision: Precision) -> None:
        from openvino import AsyncInferQueue

        compiled = _compiled(name, graph, precision)
        self._takes = len(compiled.inputs)
        self._gives = len(compiled.outputs)
        self._requests = AsyncInferQueue(compiled, cores())
        self._requests.set_callback(self._done)
        # A thread of OpenVINO's that still is in Python when the process ends would abort it.
        finalize(self, _wait, self._requests, os.getpid())

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        given = dict(enumerate((batch.ids, batch.mask, batch.types)[: self._takes]))
        self._requests.start_async(given, done)

    def _done(self, request: Any, done: Callable[[Outputs], None]) -> None:
        # A copy: the request's own memory is the next batch's.
        done(tuple(request.get_output_tensor(at).data.copy() for at in range(self._gives)))


def _wait(requests: AsyncInferQueue, process: int) -> None:
    if os.getpid() == process:  # a fork has none of the threads that would finish them
        requests.wait_all()


def _computes_bf16() -> bool:
    """Emulated bf16 is slower than fp32; only units of its own make it worth while."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Core:
    from openvino import Core

    return Core()


def _compiled(name: str, graph: Callable[[], Model], precision: Precision) -> CompiledModel:
    from openvino import Tensor

    # int8 stands in the graph itself; what is left beside it is computed as well as can be.
    native = "bf16" if _computes_bf16() else "fp32"
    wanted = native if precision in ("auto", "int8") else precision
    properties = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[wanted],
        "NUM_STREAMS": str(cores()),
        "INFERENCE_NUM_THREADS": str(cores()),
    }
    fresh: list[CompiledModel] = []

    def make() -> bytes:
        fresh.append(_core().compile_model(graph(), "CPU", properties))
        return bytes(fresh[0].export_model().getbuffer())

    path = kept(f"{name}-{precision if precision == 'int8' else wanted}-{_machine(properties)}.blob", make)
    if fresh:
        return fresh[0]
    if path:
        try:
            return _core().import_model(Tensor(np.fromfile(path, np.uint8)), "CPU", properties)
        except (RuntimeError, OSError, ValueError):  # cut short, or of another make after all
            forget(path)
    return _core().compile_model(graph(), "CPU", properties)


def _machine(properties: dict[str, str]) -> str:
    """What a compiled model depends on beside itself: OpenVINO, the processor, and how we write graphs."""
    from openvino import __version__

    processor = _core().get_property("CPU", "FULL_DEVICE_NAME")
    abilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    spec = find_spec("rag.models.graph")
    writing = Path(spec.origin).read_bytes() if spec and spec.origin else b""
    said = repr((__version__, processor, abilities, sorted(properties.items()))).encode()
    return hashlib.sha256(said + writing).hexdigest()[:16]
