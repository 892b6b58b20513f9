"""`network.offline`: whatever would open a socket is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from pydantic import BaseModel

from rag.errors import ConfigError


class NetworkSettings(BaseModel, frozen=True, extra="forbid"):
    """offline: a part that would open a socket is refused when it is built, models are not downloaded."""

    offline: bool = False


def check_offline(parts: Iterable[tuple[str, str, str]]) -> None:
    """parts: the config's key, its kind, and the host that it would talk to, if any."""
    for key, kind, host in parts:
        if host:
            raise ConfigError(
                f"network.offline is true, but {key} {kind} would talk to {host}: "
                "choose a local kind or set network.offline to false"
            )


def forbid_downloads() -> None:
    """The model hub's library reads this once, when it is imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    if (constants := sys.modules.get("huggingface_hub.constants")) is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True
