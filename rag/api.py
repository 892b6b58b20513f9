"""What a user holds: one object for an index and the settings it is used with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from rag.assembly import Assembly
from rag.errors import InputError
from rag.feedback import FILE, Feedback, add_feedback, judge, judge_json, read_feedback
from rag.filters import Where
from rag.index.backup import Backup, back_up, restore
from rag.index.source_root import SourceRoot
from rag.inspection.status import Status, read_status
from rag.inspection.why import Absence, explain_absence
from rag.loaders.walk import require
from rag.protocols import Progress, silent
from rag.second_stage.rank import rerank_texts
from rag.selection import Rule
from rag.settings import Settings
from rag.threads.forks import in_each_fork, leave
from rag.types import Answer, Candidate, IngestReport, Passage, RerankTrace, Scalar, SearchResult

if TYPE_CHECKING:
    from rag.ingest import Ingestor
    from rag.pipeline import Pipeline

P = ParamSpec("P")
T = TypeVar("T")
Filter = Mapping[str, Scalar | Iterable[Scalar]] | Where


class Rag:
    """Ingests, searches and answers. Usable from many threads; models are loaded once.

    A fork of the process may go on using it: it begins anew there.

    `where` narrows a question to documents by their metadata; `top_k` and `threshold` select for this
    question what the settings select for all.

    >>> with Rag.open() as rag:
    ...     answer = rag.ask("When is soup served?", where={"team": "kitchen"}, top_k=3)
    >>> answer.citations[0].source
    'notes/soup.md'
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()
        self.assembly = Assembly(self.settings)
        self._building = Lock()
        self._closed = False
        in_each_fork(self._begin_anew)

    def _begin_anew(self) -> None:
        """A fork loads and opens for itself what it comes to need."""
        leave(self.assembly)
        self.assembly, self._building = Assembly(self.settings), Lock()

    @classmethod
    def open(cls, config: str | Path | Settings | None = None) -> Rag:
        """Ready to answer: models loaded, keys checked, index and settings compared."""
        rag = cls(config if isinstance(config, Settings) else Settings.load(config))
        rag._asked.generator()
        if rag.pipeline.reader:
            rag.pipeline.reader.load()
        rag.pipeline.embedder.embed_question("warm")
        return rag

    @property
    def pipeline(self) -> Pipeline:
        with self._building:
            return self._held.pipeline

    @property
    def _asked(self) -> Pipeline:
        with self._building:
            return self._held.asked

    @property
    def _held(self) -> Assembly:
        if self._closed:
            raise InputError("this Rag is closed: open another one")
        return self.assembly

    def close(self) -> None:
        """Lets go of the index's files. Models stay: others in this process may use them."""
        with self._building:
            if not self._closed:
                self.assembly.close()
            self._closed = True

    def __enter__(self) -> Rag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- questions ------------------------------------------------------------------------

    def ask(
        self,
        question: str,
        where: Filter | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> Answer:
        return self._asked.ask(question, _narrowed(where), self._rule(top_k, threshold))

    def ask_many(
        self,
        questions: Sequence[str],
        where: Filter | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> list[Answer]:
        """Answers in the order of the questions."""
        return self._asked.ask_many(questions, _narrowed(where), self._rule(top_k, threshold))

    def stream(
        self,
        question: str,
        where: Filter | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> Iterator[str | Answer]:
        """Pieces of text as they come, and last the whole Answer."""
        return self._asked.stream(question, _narrowed(where), self._rule(top_k, threshold))

    def search(
        self,
        question: str,
        where: Filter | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> SearchResult:
        """The passages for a question, without an answer."""
        return self._asked.search(question, _narrowed(where), self._rule(top_k, threshold))

    def retrieve(self, question: str, where: Filter | None = None) -> Sequence[Candidate]:
        """The first stage alone."""
        return self._asked.retrieve(self.pipeline.encode(question), _narrowed(where))

    def rerank(
        self, question: str, passages: Sequence[Candidate] | Sequence[str]
    ) -> tuple[Sequence[Passage], RerankTrace]:
        """The second stage alone: every candidate or text with its relevance, best first.

        Of raw texts nothing but the reranker's score is known: their relevance orders them and is not
        calibrated. `passage.chunk.ordinal` is a text's place in the list that was given.
        """
        encoded = self.pipeline.encode(question)
        texts = [text for text in passages if isinstance(text, str)]
        if len(texts) == len(passages):
            return rerank_texts(self.pipeline.reranker, encoded, texts)
        return self.pipeline.rerank(encoded, [item for item in passages if isinstance(item, Candidate)])

    def why(self, question: str, source: str) -> Absence:
        """At which stage, and why, a document's best passage left the race."""
        return explain_absence(self.assembly, question, source)

    def feedback(self, answer: Answer | bytes, *, good: bool, note: str = "") -> Feedback:
        """Keeps what the user thinks of an answer, given as such or as the JSON that it was printed as;
        of a refusal, whether refusing was right."""
        kept = judge_json(answer, good, note) if isinstance(answer, bytes) else judge(answer, good, note)
        return add_feedback(self.feedback_file, kept)

    def given_feedback(self) -> list[Feedback]:
        """All that is kept, oldest first."""
        return read_feedback(self.feedback_file) if self.feedback_file.exists() else []

    @property
    def feedback_file(self) -> Path:
        return self.settings.store.path / FILE

    # --- documents ------------------------------------------------------------------------

    def ingest(self, *paths: str | Path, prune: bool = False, progress: Progress = silent) -> IngestReport:
        files = [Path(path) for path in paths]
        require(files)  # before an index is made for what is not there
        return self.assembly.ingestor.telling(progress).ingest(files, prune)

    def would_ingest(self, *paths: str | Path, prune: bool = False) -> IngestReport:
        """What `ingest` would do: files are read and cut, nothing is encoded or written."""
        if self.assembly.has_index:
            return self.assembly.ingestor.would_ingest([Path(path) for path in paths], prune)
        with TemporaryDirectory() as folder:  # no index is made by asking what would be in it
            store = self.settings.store.beside(Path(folder))
            with Rag(self.settings.model_copy(update={"store": store})) as empty:
                return empty.assembly.ingestor.would_ingest([Path(path) for path in paths], prune)

    def remove(self, *sources: str, everything: bool = False) -> list[str]:
        """Takes documents, files or folders out of the index; all documents only with `everything`."""
        return self._keeper.remove(sources, everything)

    def would_remove(self, *sources: str, everything: bool = False) -> list[str]:
        """What `remove` would take out."""
        return self._keeper.would_remove(sources, everything)

    def would_prune(self, *paths: str | Path) -> list[str]:
        """What `ingest(…, prune=True)` would take out."""
        return self.assembly.ingestor.would_prune([Path(path) for path in paths])

    def rebuild(self, embed: bool = False, progress: Progress = silent) -> int:
        return self._keeper.telling(progress).rebuild(embed)

    def backup(self, path: str | Path) -> Backup:
        """The catalog and the feedback, of one moment, in one file. All else can be made from it."""
        return back_up(self.assembly.existing_index().catalog, self.feedback_file, Path(path))

    def restore(self, path: str | Path, *, replace: bool = False, progress: Progress = silent) -> int:
        """An index from a backup: its catalog is put in place, and Chroma and BM25 are filled from it."""
        restore(Path(path), self.settings.store.path, self.feedback_file, replace)
        return self.rebuild(progress=progress)

    def documents(self) -> list[str]:
        """The source of each document in the index."""
        return [source for source, _ in self.assembly.existing_index().catalog.sources()]

    def file_of(self, source: str) -> Path | None:
        """Where the file of a document lies, or lay; None of what came from no file of this index."""
        if not self.settings.retriever.own:
            return None
        root = SourceRoot.of(self.assembly.index.folder, self.assembly.index.catalog)
        return root.folder / source.partition("#")[0]

    def status(self) -> Status:
        return read_status(self.assembly)

    def name_sources_from(self, folder: Path) -> None:
        """Documents get their names relative to this folder, wherever a command runs."""
        SourceRoot.set(self.assembly.index.folder, self.assembly.index.catalog, folder)

    @property
    def _keeper(self) -> Ingestor:
        """Of an index that was made."""
        self.assembly.existing_index()
        return self.assembly.ingestor

    def _rule(self, top_k: int | None, threshold: float | None) -> Rule | None:
        if top_k is None and threshold is None:
            return None
        return self.pipeline.rule.changed(top_k, threshold)


def _awaited(
    call: Callable[Concatenate[Rag, P], T],
) -> Callable[Concatenate[AsyncRag, P], Coroutine[Any, Any, T]]:
    """The same call of a `Rag`, on another thread."""

    @wraps(call)
    async def awaited(self: AsyncRag, /, *args: P.args, **options: P.kwargs) -> T:
        import asyncio  # 30 ms that a command need not pay

        return await asyncio.to_thread(getattr(self.rag, call.__name__), *args, **options)

    return awaited


class AsyncRag:
    """`Rag` for an event loop, which no call ever blocks: the work is done on other threads.

    >>> import asyncio
    >>> async def main():
    ...     async with await AsyncRag.open() as rag:
    ...         return await rag.ask("Where is the spare fuse kept?")
    >>> asyncio.run(main()).state
    'answered'
    """

    def __init__(self, rag: Rag | None = None) -> None:
        self.rag = rag or Rag()

    @classmethod
    async def open(cls, config: str | Path | Settings | None = None) -> AsyncRag:
        import asyncio

        return cls(await asyncio.to_thread(Rag.open, config))

    async def __aenter__(self) -> AsyncRag:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    ask = _awaited(Rag.ask)
    search = _awaited(Rag.search)
    ingest = _awaited(Rag.ingest)
    close = _awaited(Rag.close)

    async def stream(
        self,
        question: str,
        where: Filter | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> AsyncIterator[str | Answer]:
        """Pieces of text as they come, and last the whole Answer. One thread of its own makes all of them."""
        import asyncio

        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
        pieces = self.rag.stream(question, where, top_k=top_k, threshold=threshold)
        try:
            while (piece := await loop.run_in_executor(thread, next, pieces, None)) is not None:
                yield piece
        finally:
            thread.shutdown(wait=False)


def _narrowed(where: Filter | None) -> Where | None:
    return Where.of(where) if where else None


_opened: dict[Settings, Rag] = {}
_opening = Lock()


def _unlock() -> None:
    global _opening
    _opening = Lock()


in_each_fork(_unlock)


def ask(question: str, config: str | Path | Settings | None = None, where: Filter | None = None) -> Answer:
    """One question, one answer. The pipeline stays open: the next call with equal settings loads nothing.

    >>> ask("Where is the spare fuse kept?").found
    True
    """
    settings = config if isinstance(config, Settings) else Settings.load(config)
    with _opening:
        if settings not in _opened:
            _opened[settings] = Rag.open(settings)
    return _opened[settings].ask(question, where)
