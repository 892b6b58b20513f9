"""Run by test_two_processes.py: another process at the same index."""

from __future__ import annotations

import sys
from pathlib import Path

from support.shelf import Shelf


def hold(shelf: Shelf) -> None:
    """Keeps the writer's lock until it is killed."""
    with shelf.open().index.writing():
        print("holding", flush=True)  # noqa: T201 - read by the test
        sys.stdin.read()


def ingest(shelf: Shelf) -> None:
    print(shelf.ingest(prune=True))  # noqa: T201


def rebuild(shelf: Shelf) -> None:
    print(shelf.open().rebuild())  # noqa: T201


def churn(shelf: Shelf) -> None:
    """Replaces documents over and over, each time with another number of passages, and rebuilds."""
    opened = shelf.open()
    for version in range(1, 10):
        write_versions(shelf, version)
        opened.ingest()
        if version % 5 == 0:
            opened.rebuild()


def open_often(shelf: Shelf) -> None:
    """Opens the index anew for each search until there are three thousand passages in it."""
    while True:
        opened = shelf.open()
        found = opened.retrieve("Number 1 of the log", "dense", 5)
        assert len(found) == 5
        if opened.index.catalog.counts()[1] > 3000:
            return


def write_versions(shelf: Shelf, version: int) -> None:
    for name in ("a", "b"):
        parts = 5 + version % 7
        text = "\n\n".join(
            f"Version {version} of document {name}, part {part} of {parts}, dome lens motor."
            for part in range(parts)
        )
        shelf.write(f"docs/{name}.txt", text)


COMMANDS = {"hold": hold, "ingest": ingest, "rebuild": rebuild, "churn": churn, "open often": open_often}

if __name__ == "__main__":
    COMMANDS[sys.argv[2]](Shelf(Path(sys.argv[1])))
