"""The standard streams as a command needs them: there, harmless, and told of when they take nothing."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress
from io import TextIOWrapper

from rag.cli.printing import echo
from rag.shown import shown


def prepare() -> None:
    """Before anything is opened: a file that took the number of a closed stream would be printed into."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest number that is free
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - it stays open, as its number does
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    never_fail_to_print()
    warnings.showwarning = lambda message, kind, *place, **where: echo(
        f"{kind.__name__}: {message}", err=True
    )


def never_fail_to_print() -> None:
    """A terminal that cannot show an arrow or a foreign letter gets its code instead of a crash; what a
    library logs passes through the place through which everything does."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Shown())


class _Shown(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def flushed() -> bool:
    """Whether all that was printed has arrived. It is said where not, unless the reader has gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere()
        return False
    except OSError as error:
        told = f"the output could not be written: {error.strerror or error}"
        _to_nowhere()
        with suppress(OSError):
            echo(f"OSError: {told}", err=True, colour="red")
        return False
    with suppress(OSError):
        sys.stderr.flush()
    return True


def _to_nowhere() -> None:
    """What is left in the buffer would fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
