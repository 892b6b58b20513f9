"""Subtitles (SubRip, WebVTT): what is said, in paragraphs; the second at which each begins is its anchor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rag.loaders.raw import RawFile, join_pages
from rag.loaders.unreadable import Unreadable
from rag.types import Document

_CUE = re.compile(
    r"\s{0,9}(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,]\d{1,3}\s{1,9}-->\s{1,9}(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,]\d{1,3}"
)
_VOICE = re.compile(r"<v(?:\.[\w.]{1,40})?[ \t]([^<>\n]{1,80})>")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,100}>|<\d\d:[\d:.]{1,12}>|\{\\[^{}]{0,80}\}")
# A pause of so many seconds ends a paragraph, and so does a sentence that ends one of this length.
_PAUSE = 3
_LONG = 400
_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True)
class _Cue:
    start: int
    end: int
    lines: tuple[str, ...]


def load(file: RawFile) -> Iterable[Document]:
    cues = list(_cues(file.text()))
    if not cues:
        raise Unreadable(f"no cue with its times in it: no {file.format} file")
    paragraphs = list(_paragraphs(cues))
    text, places = join_pages(said for _, said in paragraphs)
    anchors = tuple((at, f"t={start}") for at, (start, _) in zip(places, paragraphs, strict=True))
    yield file.document(text, anchors=anchors)


def _cues(text: str) -> Iterator[_Cue]:
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        at = next((at for at, line in enumerate(lines[:2]) if _CUE.match(line)), None)
        if at is not None and (found := _CUE.match(lines[at])):
            said = (" ".join(_said(line).split()) for line in lines[at + 1 :])
            yield _Cue(_seconds(found, 1), _seconds(found, 4), tuple(filter(None, said)))


def _said(line: str) -> str:
    return _MARKUP.sub("", _VOICE.sub(lambda voice: f"{voice[1]}: ", line))


def _seconds(found: re.Match[str], group: int) -> int:
    return int(found[group] or 0) * 3600 + int(found[group + 1]) * 60 + int(found[group + 2])


def _paragraphs(cues: Iterable[_Cue]) -> Iterator[tuple[int, str]]:
    said: list[str] = []
    begun, ended, size, last = 0, 0, 0, ""
    for cue in cues:
        over = cue.start - ended >= _PAUSE or (size >= _LONG and said[-1].endswith(_ENDS))
        if said and over:
            yield begun, " ".join(said)
            said, size = [], 0
        for line in cue.lines:
            if line == last:  # where lines roll up, each is shown twice
                continue
            if not said:
                begun = cue.start
            said.append(line)
            size += len(line)
            last = line
        ended = cue.end
    if said:
        yield begun, " ".join(said)
