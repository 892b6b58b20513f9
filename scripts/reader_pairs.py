"""What a reader learns from: questions with passages that answer them, and that only speak of the same.

Each collection gives groups of one question: passages that answer it, and passages that do not, which are
- the passage itself without the sentences that hold the answer: same topic, same words, no answer;
- passages of the same document or the nearest ones of the collection, without the answer's words;
- passages judged by people not to answer it;
- the answering passage under the question with another name or number in it.
"""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from beir import read_lines

from rag.answers.sentences import sentences as spans_of
from rag.types import Floats

# Words of a passage: about 220 tokens, which is what the chunker makes.
WINDOW = 160
_LEAST_WORDS = 12


@dataclass(frozen=True, slots=True)
class Item:
    """One passage under one question. `answer`: its words, where they are known."""

    question: str
    passage: str
    answers: bool
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    origin: str
    question: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Doc:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    answers: tuple[str, ...]
    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """A collection in BEIR form, of one split."""

    name: str
    docs: Mapping[str, Doc]
    questions: Mapping[str, Asked]
    grades: Mapping[str, Mapping[str, int]]

    @classmethod
    def read(cls, folder: Path, splits: Sequence[str]) -> Source:
        docs = {
            row["_id"]: Doc(row.get("title", ""), row["text"]) for row in read_lines(folder / "corpus.jsonl")
        }
        grades: dict[str, dict[str, int]] = defaultdict(dict)
        for split in splits:
            with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8", newline="") as lines:
                for row in csv.DictReader(lines, delimiter="\t"):
                    grades[row["query-id"]][row["corpus-id"]] = int(row["score"])
        asked = {}
        for row in read_lines(folder / "queries.jsonl"):
            if row["_id"] in grades:
                told = row.get("metadata") or {}
                answers = tuple(a.strip() for a in told.get("answers", ()) if a.strip())
                asked[row["_id"]] = Asked(row["text"].strip(), answers, told)
        return cls(folder.name, docs, asked, dict(grades))


Nearest = Callable[[Sequence[str], Sequence[str]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a collection becomes groups. `document`: of which document a passage is part. `judged`: whether
    those not relevant were judged so by people, so that nothing need be mined. `negatives`: most that are
    made or mined. `whole`: documents are cut into passages, not read from the start alone. `swaps`: share
    of the questions that are also asked with another name or number."""

    splits: tuple[str, ...]
    most: int
    document: Callable[[str, Doc], str] | None = None
    judged: bool = False
    negatives: int = 2
    swaps: float = 0.0
    whole: bool = False


RECIPES = {
    "train/squad_dev_v1.1": Recipe(("test",), 6000, lambda _, doc: doc.title, negatives=3, swaps=0.35),
    "train/nq_open_oracle": Recipe(("test",), 2655, swaps=0.2),
    "train/policyqa_dev": Recipe(("test",), 500, lambda _, doc: doc.title),
    "train/policyqa_test": Recipe(("test",), 500, lambda _, doc: doc.title),
    "train/covidqa_200423": Recipe(("test",), 1300, lambda id_, _: id_, negatives=3, whole=True),
    "train/wikiqa": Recipe(("train",), 2200, lambda id_, _: id_.partition("-")[0], judged=True, whole=True),
    "train/trecqa": Recipe(("train",), 83, judged=True),
    "train/mediqa2019_qa": Recipe(("train1_liveqa", "train2_alexa"), 180, judged=True),
    "train/medquad": Recipe(("train",), 3000),
    "train/pubmedqa_pqal": Recipe(("test",), 1000),
    "train/lfrqa": Recipe(("train",), 1500),
    "eval/scifact": Recipe(("train",), 809),
    "eval/nfcorpus": Recipe(("train",), 600),
}


def groups(data: Path, nearest: Nearest, seed: int) -> Iterator[Group]:
    for name, recipe in RECIPES.items():
        source = Source.read(data / name, recipe.splits)
        rng = random.Random(f"{seed} {name}")
        chosen = rng.sample(sorted(source.questions), min(recipe.most, len(source.questions)))
        yield from _groups(source, chosen, recipe, nearest, rng)


def _groups(
    source: Source, chosen: Sequence[str], recipe: Recipe, nearest: Nearest, rng: random.Random
) -> Iterator[Group]:
    if recipe.judged:
        whole = recipe.whole
        made = (_wiki(source, id_, rng) if whole else _judged(source, id_, rng) for id_ in chosen)
        yield from (group for group in made if group is not None)
        return
    passages = _cut(source, recipe, chosen)
    ids = list(passages)
    wanted = [source.questions[id_].text for id_ in chosen]
    near = nearest(wanted, [passages[id_].reading for id_ in ids])
    strange = [_names(source.questions[id_].text) for id_ in chosen]
    for number, id_ in enumerate(chosen):
        if group := _mined(source, id_, passages, [ids[i] for i in near[number]], recipe, strange, rng):
            yield group


@dataclass(frozen=True, slots=True)
class _Passage:
    document: str
    part_of: str
    title: str
    text: str

    @property
    def reading(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


def _cut(source: Source, recipe: Recipe, chosen: Sequence[str]) -> dict[str, _Passage]:
    """The documents in passages; of very large collections, those of the chosen questions and some more."""
    wanted = list(source.docs)
    if len(wanted) > 6000:
        needed = {doc for id_ in chosen for doc in source.grades[id_]}
        rest = [id_ for id_ in wanted if id_ not in needed]
        wanted = [*sorted(needed), *random.Random(0).sample(rest, min(len(rest), 2000))]
    found = {}
    for id_ in wanted:
        doc = source.docs[id_]
        part_of = recipe.document(id_, doc) if recipe.document else ""
        windows = windows_of(doc.text)
        for number, text in enumerate(windows if recipe.whole else windows[:2]):
            found[f"{id_} {number}"] = _Passage(id_, part_of, doc.title, text)
    return found


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in spans_of(text)]


def windows_of(text: str, words: int = WINDOW) -> list[str]:
    """Whole sentences, up to so many words a window."""
    made, size = [""], 0
    for sentence in sentences(text):
        length = len(sentence.split())
        if made[-1] and size + length > words:
            made.append("")
            size = 0
        made[-1] = f"{made[-1]} {sentence}".strip()
        size += length
    cut = [" ".join(one.split()[: words * 3 // 2]) for one in made]
    return [one for one in cut if one]


def _mined(
    source: Source,
    id_: str,
    passages: Mapping[str, _Passage],
    near: Sequence[str],
    recipe: Recipe,
    strange: Sequence[Sequence[str]],
    rng: random.Random,
) -> Group | None:
    asked = source.questions[id_]
    relevant = {doc for doc, grade in source.grades[id_].items() if grade > 0}
    own = [key for key in near if passages[key].document in relevant]
    own += [key for key in passages if passages[key].document in relevant and key not in near][:50]
    if asked.answers:
        own = [key for key in own if _held(asked.answers, passages[key].text)]
    if not own:
        return None
    best = passages[own[0]]
    answer = _held(asked.answers, best.text)
    items = [Item(asked.text, _shown(best, rng), True, answer)]
    if answer and (rest := _without(best.text, asked.answers)):
        items.append(Item(asked.text, _shown(_Passage("", "", best.title, rest), rng), False))
    others = [
        key
        for key in near
        if not _held(asked.answers, passages[key].text)
        and (passages[key].document not in relevant or bool(asked.answers))
    ]
    same = [key for key in others if recipe.document and passages[key].part_of == best.part_of]
    mined = [*rng.sample(same[:8], min(2, len(same[:8])))]
    elsewhere = [key for key in others if key not in mined]
    # Not the very nearest: of unlabelled passages those answer most often.
    mined += rng.sample(elsewhere[1:12], min(3 - len(mined), len(elsewhere[1:12])))
    items += [Item(asked.text, _shown(passages[key], rng), False) for key in mined]
    items = items[: 1 + recipe.negatives]
    if rng.random() < recipe.swaps and (other := _swapped(asked.text, best.text, strange, rng)):
        items.append(Item(other, _shown(best, rng), False))
    return Group(source.name, asked.text, tuple(items))


def _judged(source: Source, id_: str, rng: random.Random) -> Group | None:
    asked, grades = source.questions[id_], source.grades[id_]
    good = [doc for doc, grade in grades.items() if grade > 0]
    bad = [doc for doc, grade in grades.items() if grade == 0]
    chosen = [*rng.sample(good, min(2, len(good))), *rng.sample(bad, min(4, len(bad)))]
    items = [
        Item(asked.text, windows_of(source.docs[doc].text)[0], grades[doc] > 0)
        for doc in chosen
        if windows_of(source.docs[doc].text)
    ]
    return Group(source.name, asked.text, tuple(items)) if len(items) > 1 else None


def _wiki(source: Source, id_: str, rng: random.Random) -> Group | None:
    """BiEncoder judged one by one, as the passage they came from: whether it answers, and without them."""
    asked, grades = source.questions[id_], source.grades[id_]
    if len(grades) < 2:
        return None
    order = sorted(grades, key=lambda doc: int(doc.rpartition("-")[2]))
    title = source.docs[order[0]].title
    good = [doc for doc in order if grades[doc] > 0]
    items = []
    if good:
        at = order.index(good[0])
        first = max(0, at - rng.randint(0, 5))
        window = order[first : first + 8]
        text = " ".join(source.docs[doc].text for doc in window)
        items.append(Item(asked.text, _titled(title, text, rng), True, source.docs[good[0]].text))
        items.append(Item(asked.text, source.docs[good[0]].text, True, source.docs[good[0]].text))
    rest = [doc for doc in order if not grades[doc]][:8]
    text = " ".join(source.docs[doc].text for doc in rest)
    if len(text.split()) >= _LEAST_WORDS:
        items.append(Item(asked.text, _titled(title, " ".join(text.split()[:WINDOW]), rng), False))
    return Group(source.name, asked.text, tuple(items)) if items else None


# --- minimal pairs -------------------------------------------------------------------------


def minimal(everything: Sequence[Group], most: Mapping[str, int], seed: int) -> Iterator[Group]:
    """The same groups as pairs that differ in little: the answer's own words taken out of the passage, or
    the name or number that is asked about replaced in it. So that no seam tells, answering passages lose
    words or change names too, and then in the question as well."""
    rng = random.Random(seed)
    strange = [_names(group.question) for group in everything]
    left = dict(most)
    for group in rng.sample(list(everything), len(everything)):
        if not left.get(group.origin, 0):
            continue
        left[group.origin] -= 1
        yield Group(group.origin, group.question, tuple(_contrasted(group, strange, rng)))


def _contrasted(group: Group, strange: Sequence[Sequence[str]], rng: random.Random) -> Iterator[Item]:
    right = [item for item in group.items if item.answers]
    wrong = [item for item in group.items if not item.answers]
    if not right or not right[0].answer or group.origin == "wikiqa":
        yield from group.items
        return
    own = right[0]
    if rng.random() < 0.5:
        yield replace(own, passage=_gapped(own, rng))
    else:
        yield own
    if blank := _blanked(own, rng):
        yield replace(own, passage=blank, answers=False, answer="")
    if renamed := _renamed(own, strange, rng):
        old, new = renamed
        other = own.passage.replace(old, new)
        yield Item(own.question, other, False)
        if rng.random() < 0.4 and old not in own.answer:
            yield Item(own.question.replace(old, new), other, True, own.answer)
    # One that was taken from elsewhere, and those asked with another name.
    yield from rng.sample(wrong, min(1, len(wrong)))
    yield from [item for item in wrong if item.question != own.question]


def _blanked(item: Item, rng: random.Random) -> str:
    """Without the answer's words, wherever they stand; its clause may go with them."""
    words = re.escape(item.answer.strip(" .,;"))
    before = r"(?:\b(?:in|on|at|by|of|to|from|for|with|about|around|called|named|as|the|a|an)\s+)*"
    pattern = (before if rng.random() < 0.7 else "") + words
    found = re.sub(pattern, "", item.passage, flags=re.IGNORECASE)
    found = re.sub(r"[ \t]{2,}", " ", found)
    return found if found != item.passage and len(found.split()) >= _LEAST_WORDS else ""


def _gapped(item: Item, rng: random.Random) -> str:
    """Without a few words of no concern, as many as an answer has."""
    parts = item.passage.split(" ")
    size = rng.randint(1, max(2, min(6, len(item.answer.split()) + 1)))
    wanted = set(re.findall(r"\w+", (item.answer + " " + item.question).lower()))
    for _ in range(6):
        at = rng.randrange(max(1, len(parts) - size))
        gone = set(re.findall(r"\w+", " ".join(parts[at : at + size]).lower()))
        left = " ".join(parts[:at] + parts[at + size :])
        if not gone & wanted and _held((item.answer,), left):
            return left
    return item.passage


def _renamed(item: Item, strange: Sequence[Sequence[str]], rng: random.Random) -> tuple[str, str] | None:
    """A number or name of the question that stands in the passage, and another for it."""
    asked = [n for n in _NUMBER.findall(item.question) if n in item.passage]
    if asked and rng.random() < 0.7:
        old = rng.choice(asked)
        new = str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in old[1:])
        return (old, new) if new not in item.passage else None
    held = [n for n in _names(item.question) if n in item.passage and n.lower() not in item.answer.lower()]
    for _ in range(5 if held else 0):
        names = rng.choice(strange)
        if names and (new := rng.choice(names)) not in item.passage:
            return rng.choice(held), new
    return None


def _shown(passage: _Passage, rng: random.Random) -> str:
    return _titled(passage.title, passage.text, rng)


def _titled(title: str, text: str, rng: random.Random) -> str:
    """Half of them with their title above, as passages of documents with headings have it."""
    return f"{title}\n{text}" if title and rng.random() < 0.5 else text


def _held(answers: Sequence[str], text: str) -> str:
    lowered = text.lower()
    return next((a for a in answers if a.lower() in lowered), "")


def _without(text: str, answers: Sequence[str]) -> str:
    rest = " ".join(s for s in sentences(text) if not _held(answers, s))
    return rest if len(rest.split()) >= _LEAST_WORDS else ""


_NAME = re.compile(r"(?<=\s)[A-Z][\w-]+(?:\s[A-Z][\w-]+)*")
_NUMBER = re.compile(r"\b\d[\d,]*\b")


def _names(text: str) -> list[str]:
    return _NAME.findall(text)


def _swapped(text: str, passage: str, strange: Sequence[Sequence[str]], rng: random.Random) -> str:
    """The question with another number or name than the passage speaks of."""
    if numbers := [n for n in _NUMBER.findall(text) if n in passage]:
        old = rng.choice(numbers)
        digits = [c if not c.isdigit() else str(rng.randint(0, 9)) for c in old[1:]]
        new = str(rng.randint(1, 9)) + "".join(digits)
        return text.replace(old, new) if new not in passage else ""
    held = [name for name in _names(text) if name in passage]
    for _ in range(5 if held else 0):
        names = rng.choice(strange)
        if names and (new := rng.choice(names)) not in passage:
            return text.replace(rng.choice(held), new)
    return ""


def by_cosine(vectors: Callable[[Sequence[str]], Floats]) -> Nearest:
    def nearest(questions: Sequence[str], passages: Sequence[str]) -> list[list[int]]:
        asked, there = vectors(questions), vectors(passages)
        found = []
        for at in range(0, len(asked), 512):
            found += list(np.argsort(-(asked[at : at + 512] @ there.T), axis=1)[:, :40].tolist())
        return found

    return nearest
