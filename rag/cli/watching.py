"""`rag watch`: the index follows its folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import Config, open_rag
from rag.cli.printing import echo
from rag.errors import InputError, LockedError, RagError
from rag.shown import in_line

if TYPE_CHECKING:
    from watchfiles import Change

    from rag.api import Rag
    from rag.types import IngestReport

commands = typer.Typer()

# Changes that come as close as this are one: an editor writes a file in several steps.
_TOGETHER_MS = 1000
_LOCKED_SECONDS = 3.0
_TOLD = 5


@commands.command()
def watch(
    folders: Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="FOLDER...")],
    prune: Annotated[bool, typer.Option("--prune", help="Remove documents whose file is gone.")] = False,
    config: Config = None,
) -> None:
    """Keep the index up to date with folders until it is stopped (Ctrl-C)."""
    import watchfiles

    if missing := [str(folder) for folder in folders if not folder.exists()]:
        raise InputError(f"{', '.join(missing)}: there is no such file or folder")
    rag = open_rag(config)
    follower = _Follower(rag, folders, prune)
    follower.follow()
    echo(f"watching {', '.join(map(str, folders))}; Ctrl-C stops")
    # A failure is tried again at the next change, and after a while without one.
    for changes in watchfiles.watch(
        *folders,
        watch_filter=Watched.of(folders, rag.settings.store.path),
        debounce=_TOGETHER_MS,
        rust_timeout=int(_LOCKED_SECONDS * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if changes or follower.failed:
            follower.follow()
    echo("stopped")


@dataclass(frozen=True, slots=True)
class Watched:
    """Hidden files are not ingested, and the index's own writing is no change of a document."""

    roots: tuple[Path, ...]
    index: Path

    @classmethod
    def of(cls, folders: Sequence[Path], index: Path) -> Watched:
        return cls(tuple(folder.absolute() for folder in folders), index.absolute())

    def __call__(self, change: Change, path: str) -> bool:
        found = Path(path).absolute()
        if found.is_relative_to(self.index):
            return False
        root = next((root for root in self.roots if found.is_relative_to(root)), found.parent)
        return not any(part.startswith(".") for part in found.relative_to(root).parts)


@dataclass(slots=True)
class _Follower:
    """One writer at a time: another one is waited for, and no error ends the watch."""

    rag: Rag
    folders: Sequence[Path]
    prune: bool
    failed: bool = False

    def follow(self) -> None:
        before, self.failed = self.failed, True
        try:
            self._say(self.rag.ingest(*self.folders, prune=self.prune))
            self.failed = False
        except LockedError as error:
            if not before:
                self._complain(error)
        except (RagError, OSError) as error:
            self._complain(error)

    def _say(self, report: IngestReport) -> None:
        counts = {name: getattr(report, name) for name in ("new", "changed", "removed")}
        if any(counts.values()):
            told = ", ".join(f"{count} {name}" for name, count in counts.items())
            echo(f"{time.strftime('%H:%M:%S')}  {told}; {report.seconds:.1f} s")
        for skipped in report.skipped[:_TOLD]:
            echo(f"  skipped {in_line(skipped.source)}: {in_line(skipped.reason)}", err=True)
        if len(report.skipped) > _TOLD:
            echo(f"  and {len(report.skipped) - _TOLD} more skipped", err=True)

    def _complain(self, error: Exception) -> None:
        echo(f"{time.strftime('%H:%M:%S')}  {type(error).__name__}: {error}", err=True, colour="red")
