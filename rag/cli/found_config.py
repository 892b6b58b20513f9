"""The config of the folder a command runs in, or of one above it, as git finds its repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.cli.printing import echo
from rag.errors import ConfigError
from rag.shown import in_line

if TYPE_CHECKING:
    from rag.settings import Settings

NAME = "rag.yaml"


@dataclass(frozen=True, slots=True)
class FoundConfig:
    path: Path
    raw: bytes
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> FoundConfig:
        """Once: what is checked is what is used."""
        from rag.settings import parse_config, read_config

        raw = read_config(path)
        return cls(path, raw, parse_config(raw, path))

    def wishes(self) -> list[str]:
        """What it would do that its user has to allow."""
        from rag.cli.trust import wishes

        others = [] if _is_ours(self.path) else ["it belongs to another user"]
        return [*others, *wishes(self.content, self.path.parent)]

    def settings(self) -> Settings:
        from rag.cli.trust import anchored, is_allowed
        from rag.settings import Settings

        if (wanted := self.wishes()) and not is_allowed(self.path, self.raw):
            told = "\n".join(f"  {in_line(wish)}" for wish in wanted)
            raise ConfigError(
                f"{self.path} was found, and has not been allowed:\n{told}\n"
                "Read it, then `rag allow`; or name it, `--config`, or another one"
            )
        return Settings.of(anchored(self.content, self.path.parent), self.path)


def find_config(folder: Path) -> Path | None:
    """The nearest one, in this folder or above, on the same file system."""
    return next((up / NAME for up in _upwards(folder) if (up / NAME).is_file()), None)


def found_settings(quiet: bool) -> Settings:
    """Those of the config that is found, which is said; without one the defaults."""
    from rag.settings import Settings

    path = find_config(Path.cwd())
    if path is None:
        return Settings.load(None)
    if not quiet:
        echo(f"settings: {in_line(os.path.relpath(path))}", err=True)
    return FoundConfig.read(path).settings()


def _upwards(folder: Path) -> Iterator[Path]:
    device = folder.stat().st_dev
    for up in (folder, *folder.parents):
        if up.stat().st_dev != device:
            return
        yield up


def _is_ours(path: Path) -> bool:
    """Whoever else can write here, such as in /tmp, is not to choose where documents are kept."""
    return not hasattr(os, "getuid") or path.stat().st_uid in (os.getuid(), 0)
