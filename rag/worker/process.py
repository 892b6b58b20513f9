"""The other process, seen from the one that asks: started, asked, and what it means when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from select import POLLIN, POLLOUT, poll
from tempfile import TemporaryFile

from rag.errors import ConfigError
from rag.loaders import Budget
from rag.worker.messages import LENGTH, framed
from rag.worker.serve import OUT_OF_MEMORY, SETUP, TASK, seconds_for

# The imports of this process, and no main module of the user's.
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from rag.worker.serve import serve; serve()"
_START_SECONDS = 120.0
# Beyond what the other process allows itself; so many times that where nobody tells whether it works.
_GRACE_SECONDS = 2.0
_PATIENCE = 10
_PIECE = 1 << 18
_TOLD = 300
# How a library in Rust says it.
_NO_MEMORY = "memory allocation of"


class Ended(Exception):
    """It ended before it had answered: because of the file, for this reason; without one it had retired."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class WorkerProcess:
    def __init__(self) -> None:
        self._owner = os.getpid()
        self._log = TemporaryFile()  # noqa: SIM115 - it is there for as long as the process
        self._setup = b""
        self._budget = Budget()
        self._asked = False
        self._patience = self._until = 0.0
        self._worked: list[bytes] = []
        try:
            self._process = subprocess.Popen(
                [_python(), "-P", "-c", _PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
            )
        except OSError as error:
            raise ConfigError(f"{_python()!r} cannot be started to read files: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)

    @property
    def is_usable(self) -> bool:
        """In a fork it is the other one's; a question that was given up is still being answered; and it
        ends by itself when it was idle for long."""
        return self._owner == os.getpid() and not self._asked and self._process.poll() is None

    def set_up(self, setup: bytes, budget: Budget) -> None:
        """With what files are read and cut from now on."""
        if setup != self._setup:
            list(self._ask(SETUP, setup, _START_SECONDS, most_bytes=0))
            self._setup, self._budget = setup, budget

    def ask(self, task: bytes) -> Iterator[bytes]:
        """The messages that answer it, one by one. Raises Ended."""
        seconds = seconds_for(self._budget, len(task)) + _GRACE_SECONDS
        yield from self._ask(TASK, task, seconds, self._budget.memory_mb << 20)

    def _ask(self, kind: bytes, message: bytes, seconds: float, most_bytes: int) -> Iterator[bytes]:
        self._asked, self._patience = True, seconds
        self._until = time.monotonic() + _PATIENCE * seconds
        self._write(kind + framed(message))
        while True:
            (size,) = LENGTH.unpack(self._read(LENGTH.size))
            if not size:
                self._asked = False
                return
            most_bytes -= size
            if most_bytes < 0:
                raise self._ended(_over("memory_mb", self._budget))
            yield self._read(size)

    def _write(self, message: bytes) -> None:
        left = memoryview(message)
        try:
            while left:
                self._wait(self._to, POLLOUT)
                left = left[os.write(self._to, left[:_PIECE]) :]
        except BrokenPipeError:
            raise self._ended() from None

    def _read(self, size: int) -> bytes:
        pieces = []
        while size:
            self._wait(self._from, POLLIN)
            piece = os.read(self._from, min(size, _PIECE))
            if not piece:
                raise self._ended()
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _wait(self, descriptor: int, event: int) -> None:
        """As long as it works: a timer of its own ends that. One that stands still is not waited for."""
        waiting = poll()
        waiting.register(descriptor, event)
        while not waiting.poll(self._patience * 1000):
            if not self._has_worked():
                raise self._ended(_over("seconds", self._budget))

    def _has_worked(self) -> bool:
        """Since it was looked at last; where the system does not tell, it may have until its time is over."""
        try:
            with open(f"/proc/{self._process.pid}/stat", "rb") as told:
                worked = told.read().rpartition(b")")[2].split()[11:13]
        except OSError:
            return time.monotonic() < self._until
        before, self._worked = self._worked, worked
        return worked != before

    def _ended(self, reason: str = "") -> Ended:
        """Why, where nobody here has said: by how the process went."""
        self._process.kill()  # which changes nothing where it has ended by itself
        code = self._process.wait()
        if code == -signal.SIGINT:
            self.close()
            raise KeyboardInterrupt
        if not reason and code:
            reason = self._told(code)
        said = self._said()
        self.close()
        if not self._setup and (code or reason):
            raise ConfigError(f"the process that reads files does not start: {said or reason}")
        return Ended(reason)

    def _told(self, code: int) -> str:
        said = self._said()
        if code == -signal.SIGPROF:
            return _over("seconds", self._budget)
        if code == OUT_OF_MEMORY or _NO_MEMORY in said:
            return _over("memory_mb", self._budget)
        ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return (
            f"the process that read it ended by {ended}: a damaged file, or one that needs more memory than "
            f"loader.budget.memory_mb, {self._budget.memory_mb:,}. {said}".strip()
        )

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace").strip()[-_TOLD:]

    def close(self) -> None:
        """In a fork, only what belongs to it is let go of."""
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()
        if self._owner == os.getpid() and self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        elif self._process.returncode is None:
            self._process.returncode = 0  # of its parent alone


def _over(key: str, budget: Budget) -> str:
    limit = getattr(budget, key)
    needs = {"seconds": "takes longer than", "memory_mb": "needs more memory than"}[key]
    return f"{needs} loader.budget.{key}, {limit:,}"


def _python() -> str:
    """As multiprocessing has it: where Python is built into another program, `set_executable` tells."""
    from multiprocessing.spawn import get_executable

    return os.fsdecode(get_executable() or sys.executable or "python3")
