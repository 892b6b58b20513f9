"""Which runtime reads a model, and in which precision."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rag.errors import ConfigError
from rag.models.bert import why_not_bert

Runtime = Literal["auto", "openvino", "onnx", "torch"]
Precision = Literal["auto", "fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Choice:
    runtime: Literal["openvino", "onnx", "torch"]
    precision: Precision


def choose(
    runtime: Runtime, precision: Precision, device: str | None, folder: Path, why_not: str = ""
) -> Choice:
    """`auto` takes OpenVINO where it can read the model and no GPU is there; int8 is its alone.

    `why_not`: what only torch can do about this model.
    """
    if runtime == "auto" and precision == "int8":
        runtime = "openvino"
    if runtime == "auto":
        free = not (_obstacle("openvino", precision, device, folder) or why_not)
        return Choice("openvino" if free and not (device is None and _has_gpu()) else "torch", precision)
    if obstacle := _obstacle(runtime, precision, device, folder) or (why_not if runtime != "torch" else ""):
        raise ConfigError(
            f"runtime {runtime} with precision {precision} cannot be had for the model in {folder}: "
            f"{obstacle}. Choose runtime: auto, or torch, with another precision"
        )
    return Choice(runtime, precision)


def _obstacle(runtime: str, precision: Precision, device: str | None, folder: Path) -> str:
    if runtime != "openvino" and precision == "int8":
        return "int8 needs openvino"
    if runtime == "torch":
        return ""
    if device not in (None, "cpu"):
        return f"device is {device!r}, and {runtime} runs on the CPU here"
    if runtime == "onnx":
        return "onnx computes in fp32" if precision == "bf16" else ""
    if find_spec("openvino") is None:
        return "the package openvino is not installed"
    return why_not_bert(folder)


def _has_gpu() -> bool:
    """Without importing torch: seconds, which whoever has none would wait for."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
