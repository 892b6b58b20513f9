"""Which runtime reads a model, and in which precision.

A runtime is a file, models/NAME_runtime.py, and its name in `Runtime`.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast, get_args

from rag.errors import ConfigError

if TYPE_CHECKING:
    from rag.models.bert import Pooling
    from rag.models.cross_encoder import CrossEncoder
    from rag.models.queue import Engine

Runtime = Literal["auto", "openvino", "onnx", "torch"]
Precision = Literal["auto", "fp32", "bf16", "int8"]


class RuntimeFile(Protocol):
    """What the file of a runtime has. TAKES_ALL: it also runs steps that stand outside of the network.

    AUTO: how early `auto` tries it; 0 is never, and the last one reads every model, on a GPU too.
    """

    TAKES_ALL: bool
    AUTO: int
    PRECISIONS: frozenset[Precision]

    def obstacle(self, device: str | None, folder: Path) -> str:
        """Why it cannot read this model there; empty where it can."""
        ...

    def bi_encoder(
        self, folder: Path, pooling: Pooling, device: str | None, precision: Precision
    ) -> Engine: ...

    def cross_encoder(self, folder: Path, device: str | None, precision: Precision) -> CrossEncoder: ...


@dataclass(frozen=True, slots=True)
class Choice:
    runtime: str
    precision: Precision

    @property
    def file(self) -> RuntimeFile:
        return _file(self.runtime)


def choose(runtime: str, precision: Precision, device: str | None, folder: Path, why_not: str = "") -> Choice:
    """`auto` takes the quickest that can read the model; where a GPU is there, the one that uses it.

    `why_not`: steps of this model that stand outside of its network.
    """
    if runtime == "auto":
        runtime = _quickest(precision, device, folder, why_not)
    if obstacle := _obstacle(runtime, precision, device, folder, why_not):
        raise ConfigError(
            f"runtime {runtime} with precision {precision} cannot be had for the model in {folder}: "
            f"{obstacle}. Choose runtime: auto, or torch, with another precision"
        )
    return Choice(runtime, precision)


def _quickest(precision: Precision, device: str | None, folder: Path, why_not: str) -> str:
    able = [
        name for name in runtimes() if _file(name).AUTO and precision in ("auto", *_file(name).PRECISIONS)
    ]
    able.sort(key=lambda name: _file(name).AUTO)
    if device is None and _has_gpu():
        return able[-1]
    fits = (name for name in able if not _obstacle(name, precision, device, folder, why_not))
    return next(fits, able[-1])


def runtimes() -> tuple[str, ...]:
    return tuple(name for name in get_args(Runtime) if name != "auto")


def _file(runtime: str) -> RuntimeFile:
    return cast(RuntimeFile, import_module(f"rag.models.{runtime}_runtime"))


def _obstacle(runtime: str, precision: Precision, device: str | None, folder: Path, why_not: str) -> str:
    file = _file(runtime)
    if precision != "auto" and precision not in file.PRECISIONS:
        able = [name for name in runtimes() if precision in _file(name).PRECISIONS]
        return f"{precision} needs {' or '.join(able)}"
    return file.obstacle(device, folder) or ("" if file.TAKES_ALL else why_not)


def _has_gpu() -> bool:
    """Without importing torch: seconds, which whoever has none would wait for."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
