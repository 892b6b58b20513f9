"""All areas: adding one is a file and its line here."""

from __future__ import annotations

from hostile import full, kills
from hostile.trial import Area

AREAS: tuple[Area, ...] = (kills.AREA, full.AREA)
