"""Questions for people who have none: drafted from their own passages, to be reviewed.

By the language model where one is configured; else from headings and sentences. Every line says
that it is synthetic, and every report made from such lines says it again.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.answers.quantities import quantities
from rag.answers.sentences import sentences
from rag.api import Rag
from rag.errors import ConfigError, InputError, RagError
from rag.evaluation.dataset import LabelledQuestion
from rag.protocols import Generator, Progress
from rag.settings import Settings
from rag.types import Candidate, Chunk, Passage, Question

_PAGE = 1000
_FEWEST_WORDS = 8
_LONGEST = 300
_EXAMPLES = 5
_MARKER = re.compile(r"\s*\[\d+\]")
_MARKUP = re.compile(r"[*_`#|>]+|^\s*(?:[-+•]|\d+[.)])\s+", re.MULTILINE)
_ASK = (
    "Write one question that a reader might ask and that this passage alone answers. Use your own words, "
    "not the passage's; do not mention the passage. Reply with the question only."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A question, what answers it, and where that stands."""

    text: str
    answer: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Drafted:
    drafts: tuple[Draft, ...]
    drafted_by: str
    path: Path


def draft(settings: Settings, count: int, seed: int, path: Path, progress: Progress) -> Drafted:
    """Spread over the documents: one passage of each, then a second one, until there are enough."""
    if path.exists():
        raise InputError(f"{path} is there already, perhaps with your corrections: name another --out")
    rag = Rag(settings)
    found, name = _make_drafts(rag, count, seed, progress)
    drafted = Drafted(tuple(found), name, path)
    _write(drafted)
    return drafted


def draft_questions(rag: Rag, count: int, seed: int, progress: Progress) -> list[LabelledQuestion]:
    """The same as labelled questions, for training: nobody has reviewed them."""
    found, name = _make_drafts(rag, count, seed, progress)
    return [LabelledQuestion.model_validate(line) for line in _lines(found, name)]


def _make_drafts(rag: Rag, count: int, seed: int, progress: Progress) -> tuple[list[Draft], str]:
    """And by whom."""
    chunks = _spread(_chunks(rag), seed)
    if not chunks:
        path = rag.settings.store.path
        raise ConfigError(f"the index in {path} is empty: `rag ingest` your documents first")
    writer = rag.assembly.generator if rag.settings.generator.follows else None
    found: list[Draft] = []
    texts: set[str] = set()
    for chunk in chunks:
        if len(found) == count:
            break
        made = _ask_writer(writer, chunk) if writer else _cut(chunk)
        if made and made.text not in texts:
            found.append(made)
            texts.add(made.text)
            progress("draft", len(found), count)
    return found, writer.name if writer else "headings and sentences"


@dataclass(frozen=True, slots=True)
class DraftsSummary:
    """What is printed, and what `--json` says."""

    questions: int
    drafted_by: str
    path: str
    examples: tuple[str, ...]


def summarise_drafts(found: Drafted) -> DraftsSummary:
    examples = tuple(one.text for one in found.drafts[:_EXAMPLES])
    return DraftsSummary(len(found.drafts), found.drafted_by, str(found.path), examples)


def _write(found: Drafted) -> None:
    found.path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(found.drafts, found.drafted_by)]
    found.path.write_text("".join(lines), "utf-8")


def _lines(drafts: Sequence[Draft], drafted_by: str) -> Iterator[dict[str, Any]]:
    """As a dataset's file has them."""
    for number, one in enumerate(drafts, start=1):
        yield {
            "_id": f"draft-{number:03}",
            "text": one.text,
            "answer": one.answer,
            "answerable": True,
            "relevant": {one.chunk.source: 1},
            "kind": "synthetic",
            "synthetic": True,
            "metadata": {
                "drafted_by": drafted_by,
                "start": one.chunk.start,
                "end": one.chunk.end,
                "headings": list(one.chunk.headings),
            },
        }


def _chunks(rag: Rag) -> list[Chunk]:
    return [chunk for page in rag.assembly.index.catalog.all_chunks(_PAGE) for chunk in page]


def _spread(chunks: Sequence[Chunk], seed: int) -> list[Chunk]:
    rng = random.Random(seed)
    of: dict[str, list[Chunk]] = {}
    for chunk in sorted(chunks, key=lambda c: (c.source, c.start, c.id)):
        of.setdefault(chunk.source, []).append(chunk)
    for each in of.values():
        rng.shuffle(each)
    order = sorted(of)
    rng.shuffle(order)
    rounds = max(map(len, of.values()), default=0)
    return [of[source][turn] for turn in range(rounds) for source in order if turn < len(of[source])]


def _ask_writer(writer: Generator, chunk: Chunk) -> Draft | None:
    """By a language model, as an answer to the request for a question."""
    passage = Passage(Candidate(chunk, 1, 0.0), 0.0, 0.0, 1.0, 1)
    try:
        reply = writer.generate(Question(_ASK), [passage])
    except ConfigError:
        raise
    except RagError:
        return None  # this passage gives no question; the next one may
    text = _MARKER.sub("", reply.text).strip().strip('"“”').split("\n")[0].strip()
    return Draft(text, "", chunk) if text.endswith("?") and len(text) <= _LONGEST else None


def _cut(chunk: Chunk) -> Draft | None:
    """A sentence that states a figure, with the figure cut out; else a heading with what stands under it."""
    under = next((heading for heading in reversed(chunk.headings) if heading.strip()), "")
    for sentence in _sentences(chunk.text):
        if made := _gap(sentence, under):
            return Draft(made[0], made[1], chunk)
    first = next(iter(_sentences(chunk.text)), "")
    if not under or not first:
        return None
    path = ": ".join(dict.fromkeys(heading.strip() for heading in chunk.headings[-2:]))
    return Draft(f"What is said about “{path}”?", first, chunk)


def _gap(sentence: str, under: str) -> tuple[str, str] | None:
    for match in re.finditer(r"\d[\d.,:]*\d|\d", sentence):
        if list(quantities(match.group())) and len(sentence) <= _LONGEST:
            about = f"{under}: " if under else ""
            return (
                f"{about}“{sentence[: match.start()]}…{sentence[match.end() :]}” What is missing?",
                match.group(),
            )
    return None


def _sentences(text: str) -> list[str]:
    found = [" ".join(_MARKUP.sub(" ", text[start:end]).split()) for start, end in sentences(text)]
    return [sentence for sentence in found if len(sentence.split()) >= _FEWEST_WORDS]
