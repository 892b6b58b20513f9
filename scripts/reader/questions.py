"""People's questions about manuals (data/manuals/fit) as the product meets them: each with the passages that
the default pipeline finds for it. Those that hold the fact answer; the others are its natural near misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from manuals.asking import Collection
from manuals.questions import ManualQuestion, read_questions
from manuals.sets import find_set, lay_out
from manuals.wording import place

from rag import Rag, Settings
from rag.answers.sentences import sentences
from rag.training.lessons.reading import Group, Item

# Manuals whose licence lets what was learned from them be given away.
LEARNED = {
    "borg": "BSD-3-Clause",
    "docker": "Apache-2.0",
    "graphviz": "EPL-1.0",
    "handbook": "CC BY-SA 3.0",
    "ntpsec": "BSD-2-Clause, NTP, CC BY 4.0",
    "restic": "BSD-2-Clause",
    "rustbook": "MIT or Apache-2.0",
    "varnish": "BSD-2-Clause",
}
# Of these nothing is learned: they say which checkpoint is best, and what confidence is fitted on.
CHECKED = ("exim", "mutt", "zsh", "apache", "flex", "ant", "openvswitch")

_FOUND = 20
_NEAR = 10
_LEAST_WORDS = 12


@dataclass(frozen=True, slots=True)
class Found:
    """A passage in the order of its rank, and whether its page is one that holds the fact."""

    text: str
    gold: bool


def question_groups(names: Sequence[str], cache: Path) -> Iterator[Group]:
    for name in names:
        manual = find_set(name)
        folder, _ = lay_out(manual, cache)
        rag = Rag(Settings(store={"path": cache / "index" / f"{name}-fit"}))  # type: ignore[arg-type]  # pydantic validates
        rag.ingest(folder)
        collection = Collection(name, folder, ())
        for question in read_questions(manual):
            if items := tuple(_items(question, _found(rag, collection, question))):
                yield Group(name, question.text, items, name)


def _found(rag: Rag, collection: Collection, question: ManualQuestion) -> list[Found]:
    asked = rag.pipeline.encode(question.text)
    ranked = rag.pipeline.rerank(asked, rag.pipeline.retrieve(asked))[0][:_FOUND]
    return [Found(p.chunk.reading, collection.page(p.chunk.source) in question.pages) for p in ranked]


def _items(asked: ManualQuestion, found: Sequence[Found]) -> Iterator[Item]:
    near = 0
    for passage in found:
        start, end = place(passage.text, asked.fact) if asked.answerable else (0, 0)
        if end and passage.gold:
            yield Item(asked.text, passage.text, True, passage.text[start:end])
            if twin := without(passage.text, asked.fact):
                yield Item(asked.text, twin, False, kind="removed")
        elif not end and near < _NEAR:
            near += 1
            yield Item(asked.text, passage.text, False, kind="near")


def without(text: str, fact: str) -> str:
    """The passage without the sentences that say the fact; empty where little else is left."""
    for start, end in reversed(sentences(text)):
        if place(text[start:end], fact)[1]:
            text = text[:start] + text[end:]
    return text if len(text.split()) >= _LEAST_WORDS and not place(text, fact)[1] else ""
