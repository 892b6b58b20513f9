"""A fork of a process that is at work: threads stay behind in the parent, and locks may be held for ever.

A child therefore uses nothing that has either, and begins anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import ismethod
from weakref import WeakMethod

_begins: list[Callable[[], Callable[[], None] | None]] = []
_left: list[object] = []


def in_each_fork(begin: Callable[[], None]) -> None:
    """Calls it in every child that is forked, before anything else runs there; a method only while its object
    lives."""
    _begins[:] = [reference for reference in _begins if reference() is not None]
    _begins.append(WeakMethod(begin) if ismethod(begin) else lambda: begin)


def leave(thing: object) -> None:
    """Keeps what is the parent's from being closed in the child, where that might wait for ever."""
    _left.append(thing)


def _begin_anew() -> None:
    for reference in list(_begins):
        if begin := reference():
            begin()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_begin_anew)
