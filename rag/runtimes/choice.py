"""Which runtime reads a model, and in which precision."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rag.errors import ConfigError
from rag.runtimes.bert import why_not_bert

Runtime = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Choice:
    runtime: Literal["openvino", "torch"]
    precision: Precision


def choose(
    runtime: Runtime, precision: Precision, device: str | None, folder: Path, why_not: str = ""
) -> Choice:
    """`auto` takes OpenVINO where it can read the model and no GPU is there. `why_not` may forbid it."""
    obstacle = _obstacle(device, folder) or why_not
    if runtime == "openvino" or precision == "int8":
        if obstacle or runtime == "torch":
            raise ConfigError(
                f"{'precision int8' if precision == 'int8' else 'runtime openvino'} cannot be had for the "
                f"model in {folder}: {obstacle or 'runtime is torch'}. Choose runtime: torch with another "
                "precision, or auto"
            )
        return Choice("openvino", precision)
    if runtime == "torch" or obstacle or (device is None and _has_gpu()):
        return Choice("torch", precision)
    return Choice("openvino", precision)


def _obstacle(device: str | None, folder: Path) -> str:
    if device not in (None, "cpu"):
        return f"device is {device!r}, and OpenVINO runs on the CPU here"
    if find_spec("openvino") is None:
        return "the package openvino is not installed"
    return why_not_bert(folder)


def _has_gpu() -> bool:
    """Without importing torch: seconds, which whoever has none would wait for."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
