"""Where the last answer's sources are, so that `rag open 2` finds the second: addresses alone, no text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from rag.errors import InputError
from rag.files.whole import write_whole

_LOCK_SECONDS = 2
_SCHEMES = ("file", "http", "https")


def _file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("rag") / "last.json"


def remember(links: Mapping[int, str]) -> None:
    """Of an answer that was shown. A folder that cannot be written to spoils no answer."""
    file = _file()
    with suppress(OSError, Timeout):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            write_whole(file, json.dumps({str(number): link for number, link in links.items()}).encode())


def recall(number: int) -> str:
    """The address of the source with this number; refused where it is none that is safe to open."""
    file = _file()
    try:
        links = json.loads(file.read_bytes())
    except (OSError, ValueError):
        raise InputError("no answer is remembered: ask first, `rag ask QUESTION`") from None
    if not isinstance(links, dict) or not links:
        raise InputError("the last answer had no source")
    link = links.get(str(number))
    if link is None:
        raise InputError(f"the last answer had no source {number}: it had {', '.join(links)}")
    if urlsplit(link).scheme not in _SCHEMES:
        raise InputError(f"source {number} is in no file and on no web page: there is nothing to open")
    return str(link)
