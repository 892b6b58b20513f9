"""Questions with passages that answer them and passages that do not, of public collections and of manuals.

Collections whose licence forbids to give away what is learned from them are not among these.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from beir import read_lines

from rag.answers.sentences import sentences
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.training.lessons.reading import Group, Item, held, window_around
from rag.types import Floats

SEED = 0
_LEAST_WORDS = 12
# Of larger collections the passages that answer, and so many others.
_WHOLE, _OTHERS = 5000, 2000


@dataclass(frozen=True, slots=True)
class Collection:
    """`most`: questions at most. `same`: whether other passages of the document are what does not answer."""

    name: str
    licence: str
    most: int = 99999
    same: bool = False
    cut: bool = False
    by_title: bool = False


COLLECTIONS = (
    Collection("squad_dev_v2.0", "CC BY-SA 4.0", same=True),
    Collection("nq_open_oracle", "CC BY-SA 3.0"),
    Collection("covidqa_200423", "Apache-2.0", same=True, cut=True),
    Collection("policyqa_dev", "MIT", 500, same=True, by_title=True),
    Collection("policyqa_test", "MIT", 500, same=True, by_title=True),
    Collection("lfrqa", "Apache-2.0", 3000),
    Collection("medquad", "CC BY 4.0", 1500, same=True, cut=True, by_title=True),
    Collection("pubmedqa_pqal", "MIT", 600, same=True, cut=True),
)


@dataclass(frozen=True, slots=True)
class Passage:
    part_of: str
    title: str
    text: str

    @property
    def reading(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Asked:
    """`right`: the passages that answer. `about`: the one that it was written for, if it has no answer."""

    text: str
    answers: tuple[str, ...]
    right: tuple[str, ...]
    about: str = ""


Passages = Mapping[str, Passage]
Vectors = Callable[[Sequence[str]], Floats]


def write_groups(data: Path, work: Path) -> None:
    from reader.manuals import MANUALS, lay_out, manual_groups, read_manuals

    work.mkdir(parents=True, exist_ok=True)
    lay_out(work / "manuals")
    rng = random.Random(SEED)
    pages = read_manuals(work / "manuals")
    put_groups(work / "manuals.groups.jsonl", (group for page in pages for group in manual_groups(page, rng)))
    put_groups(work / "collections.groups.jsonl", collection_groups(data, _vectors()))
    told = {one.name: [one.licence, _hash(data / "train" / one.name)] for one in COLLECTIONS}
    told |= {one.package: [one.licence, one.version] for one in MANUALS}
    (work / "sources.json").write_text(json.dumps(told, indent=1))


def collection_groups(data: Path, vectors: Vectors) -> Iterator[Group]:
    for one in COLLECTIONS:
        rng = random.Random(f"{SEED} {one.name}")
        folder = data / "train" / one.name
        passages, asked = _squad(data) if one.name.startswith("squad") else _read(folder, one)
        chosen = rng.sample(asked, min(one.most, len(asked)))
        yield from _groups(one, passages, chosen, vectors, rng)


def _squad(data: Path) -> tuple[Passages, list[Asked]]:
    """Both editions: the second has the questions without an answer, the first more paragraphs."""
    passages, asked = {}, {}
    for name in ("squad_dev_v1.1", "squad_dev_v2.0"):
        for row in read_lines(data / "train" / name / "corpus.jsonl"):
            passages[row["_id"]] = Passage(row["title"], row["title"], row["text"])
        for row in read_lines(data / "train" / name / "queries.jsonl"):
            told, place = row["metadata"], row["metadata"]["para"]
            places = ((), place) if told["is_impossible"] else ((place,), "")
            asked[row["_id"]] = Asked(row["text"].strip(), tuple(told["answers"]), *places)
    return passages, list(asked.values())


def _read(folder: Path, one: Collection) -> tuple[Passages, list[Asked]]:
    passages: dict[str, Passage] = {}
    of: dict[str, list[str]] = defaultdict(list)
    for row in read_lines(folder / "corpus.jsonl"):
        part_of = row["title"] if one.by_title else row["_id"]
        for number, text in enumerate(windows_of(row["text"]) if one.cut else [row["text"]]):
            of[row["_id"]].append(key := f"{row['_id']} {number}")
            passages[key] = Passage(part_of, row["title"], text)
    right: dict[str, list[str]] = defaultdict(list)
    judged = folder / "qrels" / "train.tsv"
    judged = judged if judged.exists() else folder / "qrels" / "test.tsv"
    for line in judged.read_text("utf-8").strip().split("\n")[1:]:
        question, document, grade = line.split("\t")
        right[question] += of[document] if int(grade) > 0 else []
    rows = [row for row in read_lines(folder / "queries.jsonl") if right[row["_id"]]]
    asked = [Asked(row["text"].strip(), _answers(row), tuple(right[row["_id"]])) for row in rows]
    return passages, asked


def _answers(row: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[str, ...]:
    return tuple(answer.strip() for answer in row.get("metadata", {}).get("answers", ()))


def windows_of(text: str, words: int = 160) -> list[str]:
    """Whole sentences, up to so many words a window."""
    made, size = [""], 0
    for start, end in sentences(text):
        length = len(text[start:end].split())
        if made[-1] and size + length > words:
            made.append("")
            size = 0
        made[-1] = f"{made[-1]} {text[start:end]}".strip()
        size += length
    return [" ".join(one.split()[: words * 3 // 2]) for one in made if one]


def _groups(
    one: Collection, passages: Passages, chosen: Sequence[Asked], vectors: Vectors, rng: random.Random
) -> Iterator[Group]:
    origin = one.name.partition("_dev_v")[0]
    keys = list(passages)
    if len(keys) > _WHOLE:
        needed = {key for asked in chosen for key in asked.right}
        rest = [key for key in keys if key not in needed]
        keys = [*sorted(needed), *rng.sample(rest, min(len(rest), _OTHERS))]
    there = vectors([passages[key].reading for key in keys])
    answered = [asked for asked in chosen if asked.right]
    wanted = vectors([asked.text for asked in answered])
    strange = [names(asked.text) for asked in chosen]
    for asked in chosen:
        if asked.about:
            passage = passages[asked.about]
            item = Item(asked.text, shown(passage, passage.text, rng), False, kind="impossible")
            yield Group(origin, asked.text, (item,), passage.part_of)
    for asked, vector in zip(answered, wanted, strict=True):
        near = [keys[i] for i in np.argsort(-(there @ vector))[1:40]]
        if items := list(_items(one, passages, asked, near, strange, rng)):
            yield Group(origin, asked.text, tuple(items), passages[asked.right[0]].part_of)


def _items(
    one: Collection,
    passages: Passages,
    asked: Asked,
    near: Sequence[str],
    strange: Sequence[Sequence[str]],
    rng: random.Random,
) -> Iterator[Item]:
    own = [key for key in asked.right if not asked.answers or held(asked.answers, passages[key].text)]
    if not own:
        return
    best, question = passages[own[0]], asked.text
    answer = held(asked.answers, best.text)
    for _ in range(2 if answer else 1):
        words = rng.randint(25, 165)
        # Where nobody says where the answer stands, it is as long as the passage, and begins with it.
        text = (
            window_around(best.text, answer, question, rng, words) if answer else beginning(best.text, words)
        )
        right = Item(question, shown(best, text, rng), True, answer)
        yield right
    if answer and rng.random() < 0.5:
        text = window_around(best.text, answer, question, rng, 200)
        parts = (text[start:end] for start, end in sentences(text))
        rest = " ".join(part for part in parts if not held(asked.answers, part))
        if len(rest.split()) >= _LEAST_WORDS:
            yield Item(question, shown(best, rest, rng), False, kind="removed")
    for key in _near(one, passages, asked, best, near, rng):
        passage = passages[key]
        text = window_around(passage.text, "", question, rng, rng.randint(25, 165))
        yield Item(question, shown(passage, text, rng), False, kind="near")
    if rng.random() < 0.3 and (other := swapped(question, best.text, strange, rng)):
        yield Item(other, right.passage, False, kind="swapped")


def _near(
    one: Collection,
    passages: Passages,
    asked: Asked,
    best: Passage,
    near: Sequence[str],
    rng: random.Random,
) -> list[str]:
    others = [key for key in near if key not in asked.right and not held(asked.answers, passages[key].text)]
    same = [key for key in others if one.same and passages[key].part_of == best.part_of][:12]
    chosen = rng.sample(same, min(2, len(same)))
    elsewhere = [key for key in others if key not in chosen][:19]
    if not asked.answers:
        # Without an answer's words to go by, the very nearest may answer: they are left out.
        elsewhere = [key for key in elsewhere[3:] if passages[key].part_of != best.part_of]
    return chosen + rng.sample(elsewhere, min(4 - len(chosen), len(elsewhere)))


def beginning(text: str, words: int) -> str:
    ends = [end for _, end in sentences(text)]
    fitting = [end for end in ends if len(text[:end].split()) <= max(words, 60)]
    return text[: max(fitting, default=ends[0] if ends else None)]


def shown(passage: Passage, text: str, rng: random.Random) -> str:
    """With its title above, as passages of documents with headings have it, or without."""
    way = rng.random()
    if not passage.title or way < 0.4:
        return text
    return f"{passage.title}\n{text}" if way < 0.8 else f"# {passage.title}\n\n{text}"


_NAME = re.compile(r"(?<=\s)[A-Z][\w-]+(?:\s[A-Z][\w-]+)*")
_NUMBER = re.compile(r"\b\d[\d,]*\b")


def names(text: str) -> list[str]:
    return _NAME.findall(text)


def swapped(text: str, passage: str, strange: Sequence[Sequence[str]], rng: random.Random) -> str:
    """The question with another number or name than the passage speaks of."""
    if numbers := [number for number in _NUMBER.findall(text) if number in passage]:
        old = rng.choice(numbers)
        new = str(rng.randint(1, 9)) + re.sub(r"\d", lambda _: str(rng.randint(0, 9)), old[1:])
        return text.replace(old, new) if new not in passage else ""
    there = [name for name in names(text) if name in passage]
    for _ in range(5 if there else 0):
        others = rng.choice(strange)
        if others and (new := rng.choice(others)) not in passage:
            return text.replace(rng.choice(there), new)
    return ""


def _vectors() -> Vectors:
    embedder = SentenceTransformersSettings(token_bits=False).build()
    return lambda texts: np.stack([found.vector for found in embedder.embed_passages(texts)])


def put_groups(path: Path, groups: Iterable[Group]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(asdict(group)) + "\n" for group in groups)


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
