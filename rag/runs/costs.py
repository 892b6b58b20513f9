"""What a run would send away and what that would cost, told before it. Opens no connection, loads no model.

Counts are upper bounds: unchanged files, cached embeddings and cached scores are not sent again. Tokens are
a quarter of the bytes. Passages are counted in the index where it holds the run's files as they are; else
they are cut by an estimate of the embedder's tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.index.catalog import Catalog
from rag.index.source_root import SourceRoot
from rag.loaders import Unreadable, find_files, reach, read_file
from rag.parts import PartSettings
from rag.runs.questions import read_questions
from rag.selection import estimate_tokens
from rag.settings import Settings
from rag.types import EmbedderCard
from rag.worker.cutter import Cutter
from rag.worker.cutting import Cut, Task
from rag.worker.readings import Hashes

if TYPE_CHECKING:
    from rag.protocols import Sizer

_CATALOG = "catalog.sqlite"
_ANY_WINDOW = 8191
_CHUNKS_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class Leaving:
    """One part that talks to a host: what it sends, in how many calls, for how much.

    `cost` is None where the config has no price for it.
    """

    part: str
    kind: str
    host: str
    text: str
    calls: int
    tokens: int
    units: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Costs:
    """`estimated`: passages, and what follows from them, are not counted but cut by an estimate."""

    documents: int
    passages: int
    questions: int
    parts: tuple[Leaving, ...]
    estimated: bool = False

    @property
    def cost(self) -> float | None:
        known = [part.cost for part in self.parts if part.cost is not None]
        return sum(known) if known else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "cost": self.cost}


def costs_of_run(settings: Settings) -> Costs:
    questions = read_questions(settings.run.questions) if settings.run.questions else []
    documents, passages, estimated = _corpus(settings)
    counted = _Counted(settings, passages, [question.text for question in questions])
    return Costs(documents, len(passages), len(questions), tuple(counted.leaving()), estimated)


def _corpus(settings: Settings) -> tuple[int, list[str], bool]:
    """How many documents, their passages, and whether these are an estimate."""
    path = settings.store.path / _CATALOG
    catalog = Catalog(path) if path.exists() else None
    if settings.run.sources and not (catalog and _is_up_to_date(catalog, settings)):
        documents = list(_documents(settings))
        return len(documents), [chunk.reading for document in documents for chunk in document.chunks], True
    if catalog is None:
        return 0, [], False
    stored = catalog.all_chunks(_CHUNKS_A_TIME)
    return catalog.counts()[0], [chunk.reading for chunks in stored for chunk in chunks], False


def _is_up_to_date(catalog: Catalog, settings: Settings) -> bool:
    """Whether the index holds the files of the run as they are, and no others."""
    sources, loader = settings.run.sources, settings.loader
    root, known = SourceRoot.of(settings.store.path, catalog), catalog.files()
    roots = reach(sources, loader)
    found = {root.source(path): path for path in find_files(sources, loader) if isinstance(path, Path)}
    if found.keys() != known.keys():
        return False
    try:
        return all(
            known[file].hash in Hashes.of(read_file(path, loader.max_bytes, roots), loader)
            for file, path in found.items()
        )
    except Unreadable:
        return False


def _documents(settings: Settings) -> Iterator[Cut]:
    window = settings.embedder.longest() or _ANY_WINDOW
    chunker = settings.chunker.build(_Estimate(EmbedderCard("", "", 1, window)))
    cutter = Cutter(settings.loader, chunker)
    sources = settings.run.sources
    roots = reach(sources, settings.loader)
    with cutter.at_work():
        for found in find_files(sources, settings.loader):
            if isinstance(found, Path):
                with suppress(Unreadable):
                    data = read_file(found, settings.loader.max_bytes, roots)
                    items = cutter.cut(Task(found, str(found), data))
                    yield from (item for item in items if isinstance(item, Cut))


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Measures as the hosted embedders do, without one."""

    card: EmbedderCard

    def sizer(self) -> Sizer:
        return estimate_tokens


class _Counted:
    def __init__(self, settings: Settings, passages: Sequence[str], questions: Sequence[str]) -> None:
        self._settings = settings
        self._texts = passages
        self._passages = sum(map(estimate_tokens, passages))
        self._mean = ceil(self._passages / len(passages)) if passages else 0
        self._asked = len(questions)
        self._questions = sum(map(estimate_tokens, questions))

    def leaving(self) -> Iterator[Leaving]:
        """In the order in which a question meets them. What only stands in is not counted."""
        s = self._settings
        yield from self._part("store", s.store, "every passage and its vector", 0, 0)
        yield from self._embedding()
        yield from self._part("retriever", s.retriever, "every question", self._asked, self._questions)
        yield from self._reranking()
        yield from self._generating()

    def _part(
        self, place: str, part: PartSettings, text: str, calls: int, tokens: int, units: float = 0.0
    ) -> Iterator[Leaving]:
        """Nothing for a part that runs here."""
        if host := part.sends_to():
            price = self._settings.policy.price(part.hosted_model())
            cost = price.of(units, tokens) if price else None
            yield Leaving(place, part.kind, host, text, calls, tokens, units, cost)

    def _embedding(self) -> Iterator[Leaving]:
        embedder = self._settings.embedder
        sent = self._texts if self._settings.run.sources else ()
        tokens = (self._passages if sent else 0) + self._questions
        text = "every passage and every question" if sent else "every question"
        yield from self._part("embedder", embedder, text, embedder.calls(sent) + self._asked, tokens)

    def _reranking(self) -> Iterator[Leaving]:
        """Each stage reads what the one before passes on."""
        count = min(self._settings.retriever.top_n, len(self._texts))
        standing_in = len(self._settings.policy.fallback)
        for place, reranker in [*self._settings.rerankers()][: -standing_in or None]:
            cost = reranker.cost(count)
            tokens = count * (self._mean * self._asked + self._questions)
            text = f"every question with {count or 'its'} candidates"
            calls, units = cost.calls * self._asked, float(cost.units * self._asked)
            yield from self._part(place, reranker, text, calls, tokens, units)
            count = min(count, reranker.top_k)

    def _generating(self) -> Iterator[Leaving]:
        generator, most = self._settings.generator, self._settings.reranker.top_k
        used = min(most * self._mean, self._settings.selection.budget)
        tokens = self._questions + self._asked * (used + generator.most_tokens())
        text = f"every question with at most {most} passages"
        yield from self._part("generator", generator, text, self._asked, tokens)
