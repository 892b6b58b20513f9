"""Work done ahead: a thread makes the next items while the present one is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

# How soon a thread whose items nobody wants any more takes notice.
_NOTICE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


def ahead(items: Iterable[T], most: int) -> Iterator[T]:
    """The same items in the same order, made by a thread that is at most so many of them ahead."""
    made: Queue[T | _End] = Queue(most)
    unwanted = Event()
    thread = Thread(target=_make, args=(items, made, unwanted), daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        unwanted.set()
        thread.join()


def _make(items: Iterable[T], made: Queue[T | _End], unwanted: Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(item, made, unwanted):
                return
    except BaseException as error:  # noqa: BLE001 - raised where the items are used
        end = _End(error)
    _put(end, made, unwanted)


def _put(item: T | _End, made: Queue[T | _End], unwanted: Event) -> bool:
    while not unwanted.is_set():
        try:
            made.put(item, timeout=_NOTICE_SECONDS)
            return True
        except Full:
            continue
    return False
