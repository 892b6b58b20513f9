"""Values for tests that need a few of them: passages without an index, and small real indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from rag.answers.reader import Reader
from rag.calibration import Calibration
from rag.chunkers.whole import WholeSettings
from rag.index.index import Index
from rag.ingest import Ingestor
from rag.loaders import LoaderSettings
from rag.parts import Parts
from rag.pipeline import Pipeline
from rag.protocols import Embedder, Generator, Reranker, SpannedEncoder
from rag.rerankers.late_interaction import LateInteraction, LateInteractionSettings
from rag.retrievers.own_index import IndexRetriever, Mode
from rag.selection import Rule
from rag.stores.chroma import EmbeddedStoreSettings
from rag.types import Candidate, Chunk, Evidence, Markup, Passage
from support.fakes import EchoGenerator, WordEmbedder

RAW = Calibration("as it stands", {"score": 1.0}, fitted_on="nothing: a test")


def chunk(text: str = "text", source: str = "a.md", start: int = 0) -> Chunk:
    markup: Markup = "markdown" if source.endswith(".md") else "text"
    end = start + len(text)
    return Chunk(f"{source}:{start}", source, source, 0, text, start, end, reading=text, markup=markup)


def candidate(
    text: str = "text", source: str = "a.md", start: int = 0, rank: int = 1, evidence: Evidence | None = None
) -> Candidate:
    return Candidate(chunk(text, source, start), rank, 1 / (60 + rank), evidence=evidence or Evidence())


def candidates(count: int) -> list[Candidate]:
    """Distinct ones, in first-stage order."""
    return [candidate(f"passage number {i}", f"{i}.md", rank=i + 1) for i in range(count)]


def passage(
    relevance: float = 0.5, text: str = "text", source: str = "a.md", start: int = 0, rank: int = 1
) -> Passage:
    return Passage(candidate(text, source, start, rank), relevance, relevance, relevance, rank)


def ranked(*relevances: float) -> list[Passage]:
    """One passage for each relevance, with words of its own."""
    return [
        passage(relevance, " ".join(f"word{i}x{j}" for j in range(6)), f"{i}.md", rank=i + 1)
        for i, relevance in enumerate(relevances)
    ]


class SmallIndex:
    """A real index, Chroma and all, of a few texts: one passage each, words as vectors."""

    def __init__(self, folder: Path, texts: Mapping[str, str], embedder: Embedder | None = None) -> None:
        self.embedder = embedder or WordEmbedder()
        self.index = Index(folder / "index", EmbeddedStoreSettings(path=folder / "index").build())
        documents = folder / "documents"
        for name, text in texts.items():
            (documents / name).parent.mkdir(parents=True, exist_ok=True)
            (documents / name).write_text(text, "utf-8")
        chunker = WholeSettings(kind="whole").build(self.embedder)
        Ingestor(self.index, LoaderSettings(), chunker, self.embedder).ingest([documents])

    def retriever(self, mode: Mode = "hybrid", top_n: int = 50) -> IndexRetriever:
        return IndexRetriever(self.index, mode, top_n, rrf_k=60)

    def late_interaction(self, encoder: SpannedEncoder | None = None, **settings: object) -> LateInteraction:
        parts = Parts(self.index.catalog, lambda: encoder or cast(SpannedEncoder, self.embedder))
        return LateInteractionSettings.model_validate(settings).build(parts)

    def pipeline(
        self,
        reranker: Reranker | None = None,
        rule: Rule | None = None,
        generator: Generator | None = None,
        calibration: Calibration = RAW,
        mode: Mode = "hybrid",
        reader: Reader | None = None,
    ) -> Pipeline:
        writer = generator or EchoGenerator()
        return Pipeline(
            embedder=self.embedder,
            retriever=self.retriever(mode),
            reranker=reranker or self.late_interaction(),
            calibration=calibration,
            rule=rule or Rule(),
            generator=lambda: writer,
            reader=reader,
        )


def names(found: Sequence[Candidate] | Sequence[Passage]) -> list[str]:
    """The file names of candidates or passages, in their order."""
    return [Path(item.chunk.source).name for item in found]
