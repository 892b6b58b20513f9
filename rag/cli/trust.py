"""What a config that was found may do before its user has allowed it, key by key.

Whoever clones a repository and asks a question in it has chosen none of its settings: they may not send
text away, load other models, or reach outside their folder. What is not listed here as harmless needs
to be allowed; tests/cli/test_trust.py walks all settings, so that a new one must be classed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_HARMLESS = """
    batch_tokens breaker breaker_s budget cache cache_bytes candidates characters collection deadline_ms
    device dimensions documents documents_per_call duplicates exclude fields heading_tokens headings limits
    listwise margin max_bytes max_length max_tokens max_tokens_per_doc memory_mb million_tokens mode not_found
    offline on_permanent order overlap pages parallel passage_prompt passages precision prices provider prune
    question_prompt ratio requests retries rrf_k runtime scores seconds sentences shape skip_when stream_usage
    temperature texts_per_call threshold timeout_s token_bits tokens top_k top_n truncation unit unsure
    unsure_rate window within words
"""
_LOCAL_KINDS = """
    bundled dense embedded extractive hybrid late-interaction lexical none sentence-transformers structure
    whole
"""
# How much, how long, how many, in which order: they change answers, and reach nothing.
HARMLESS = frozenset(_HARMLESS.split())
# Harmless within the config's own folder, from which they are read.
PATHS = frozenset(("calibration", "out", "path", "questions", "sources"))
# A kind that runs here, with a model that comes with rag.
LOCAL_KINDS = frozenset(_LOCAL_KINDS.split())
# Keys in whose place a kind may stand.
_KINDS = ("kind", "cascade", "fallback")
# Why the others need to be allowed.
NEEDS: Mapping[str, str] = {
    **dict.fromkeys(("model", "revision"), "loads or asks another model"),
    **dict.fromkeys(("base_url", "host", "port", "ssl", "tenant", "database"), "says where text is sent"),
    **dict.fromkeys(("api_key", "token", "key_env"), "says which key is sent"),
    "trusted": "lets a model's folder run code",
    "follow_links": "reads what lies outside its folder",
    "template": "reads a file that a model is asked with",
}
OTHER_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("cloud", "cohere", "http", "jina", "knowledgesdk"), "sends text to a service"),
    **dict.fromkeys(("llm", "openai", "server", "together", "voyage"), "sends text to a service"),
    "cross-encoder": "loads another model",
}


def wishes(content: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """What of a config needs to be allowed: a line each, with its key and the reason."""
    for section, fields in content.items():
        if isinstance(fields, Mapping):
            yield from _wishes(section, section, fields, folder)
        else:
            yield f"{section}: {fields!r} is no section of settings"


def _wishes(place: str, key: str, value: Any, folder: Path) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _wishes(f"{place}.{name}", str(name), inner, folder)
    elif isinstance(value, list):
        for inner in value:
            yield from _wishes(place, key, inner, folder)
    elif value is not None and (reason := _reason(key, value, folder)):
        yield f"{place}: {value} {reason}"


def _reason(key: str, value: Any, folder: Path) -> str:
    if key in _KINDS:
        return "" if value in LOCAL_KINDS else OTHER_KINDS.get(value, "is no kind that is known to run here")
    if key in PATHS:
        return "" if _is_inside(str(value), folder) else "reaches outside its folder"
    if key in HARMLESS or (key in ("follow_links", "trusted") and value is False):
        return ""
    return NEEDS.get(key, "is not known to be harmless")


def _is_inside(path: str, folder: Path) -> bool:
    """Links are followed: one in the folder may lead out of it."""
    home = folder.resolve()
    return not path.startswith("~") and (home / path).resolve().is_relative_to(home)


def anchored(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """With its paths as they are meant: from the config's folder, wherever a command runs."""
    found = {str(section): _anchored(str(section), fields, folder) for section, fields in content.items()}
    if isinstance(store := found.setdefault("store", {}), dict):
        store.setdefault("path", str(folder / ".rag"))
    return found


def _anchored(key: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _anchored(str(name), inner, folder) for name, inner in value.items()}
    if isinstance(value, list):
        return [_anchored(key, inner, folder) for inner in value]
    return str(folder / value) if key in PATHS and isinstance(value, str) else value


# --- what was allowed ------------------------------------------------------------------------


def is_allowed(path: Path, content: bytes) -> bool:
    return _record(path, content).exists()


def allow(path: Path, content: bytes) -> None:
    """This file with this content, no other: a change has to be allowed anew."""
    record = _record(path, content)
    record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    record.write_text(f"{path}\n", "utf-8", errors="surrogateescape")


def _record(path: Path, content: bytes) -> Path:
    from platformdirs import user_data_path

    named = os.fsencode(path.resolve()) + b"\0" + content
    return user_data_path("rag") / "allowed" / hashlib.sha256(named).hexdigest()
