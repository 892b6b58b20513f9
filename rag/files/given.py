"""A file that a user has named: it is read if it is a file, and no larger than such files are.

A pipe would be waited for, /dev/zero never ends, and a few hundred bytes of YAML can stand for gigabytes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from rag.errors import ConfigError

# A setting has a line; the longest config here has 8 kB.
MOST_OF_YAML = 256_000
_MOST_NODES = 50_000
_DEEPEST = 30
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
# Where a system knows no O_NONBLOCK, opening a pipe is no matter of names.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_given(path: Path, named: str, most_bytes: int) -> bytes:
    """`named`: the key or the argument that gave it."""
    try:
        content = _read_file(os.open(path, _FLAGS), f"{named} {path}", most_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{named} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a name with a zero byte
        raise ConfigError(f"{named} {str(path)!r} cannot be read: {error}") from error
    if len(content) > most_bytes:
        raise ConfigError(
            f"{named} {path} cannot be read: it has more than {most_bytes:,} bytes; is it the right file?"
        )
    return content


def _read_file(descriptor: int, told: str, most_bytes: int) -> bytes:
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "something else")
            raise ConfigError(f"{told} cannot be read: it is {kind}, not a file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(most_bytes)
    finally:
        os.close(descriptor)


def read_yaml(path: Path, named: str, most_bytes: int = MOST_OF_YAML) -> Any:
    return parse_yaml(read_given(path, named, most_bytes), f"{named} {path}")


def parse_yaml(content: bytes, told: str) -> Any:
    """The values, once it is known that aliases make no more of them than can be looked at."""
    import yaml

    class Shallow(yaml.SafeLoader):
        """It looks ahead no further than it is nested: what is too deep is never read."""

        depth = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            self.depth += 1
            if self.depth > _DEEPEST:
                raise ConfigError(f"{told} cannot be read: it is nested too deeply")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    try:
        loader = Shallow(content.decode("utf-8-sig"))
        try:
            node = loader.get_single_node()
            _count(node, 0, told)
            return loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except RecursionError:  # a list that holds itself
        raise ConfigError(f"{told} cannot be read: it is nested too deeply") from None
    # ValueError: dates and numbers that are none, and what is no UTF-8.
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{told} is not YAML: {error}") from error


def _count(node: Any, seen: int, told: str) -> int:
    """Nodes so far, those that an alias repeats counted each time."""
    import yaml

    if seen > _MOST_NODES:
        raise ConfigError(f"{told} cannot be read: by its aliases it is more than a config can be")
    seen += 1
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            seen = _count(item, seen, told)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            seen = _count(value, _count(key, seen, told), told)
    return seen
