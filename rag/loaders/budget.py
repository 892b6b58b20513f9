"""What one file may cost, however it came to be: so that none spoils the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

# A process that can read anything at all has these megabytes.
_LEAST_MB = 256


class Budget(BaseModel, frozen=True, extra="forbid"):
    """seconds: of a processor's time, to read the file and to cut it, for each megabyte of it that is begun.
    memory_mb: of the process that does it.

    characters: of all texts of the file together; passages likewise. pages: slides and chapters are pages.
    """

    seconds: PositiveFloat = 60.0
    memory_mb: Annotated[int, Field(ge=_LEAST_MB)] = 1500
    pages: PositiveInt = 10_000
    passages: PositiveInt = 200_000
    characters: PositiveInt = 60_000_000
