"""`network.offline`: whatever would open a socket is refused."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    pass


class NetworkSettings(BaseModel, frozen=True, extra="forbid"):
    """offline: a part that would open a socket is refused when it is built, models are not downloaded."""

    offline: bool = False


def forbid_downloads() -> None:
    """The model hub's library reads this once, when it is imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    if (constants := sys.modules.get("huggingface_hub.constants")) is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True
