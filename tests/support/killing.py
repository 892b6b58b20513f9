"""Run by test_kill.py: kills an operation on an index after its first step, its second, and so on.

For each step a child is forked that dies by SIGKILL right after it; another child then reads what
is left, does the operation again, and compares the index with one that was made in one go. This
process imports everything and opens nothing: that is what makes the children quick and honest.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection

import rag.ingest
from rag.errors import InputError
from rag.index.catalog import Catalog
from rag.index.index import Generation
from rag.index.lexical import LexicalIndex, LexicalStore
from rag.stores.chroma import ChromaIndex
from rag.stores.exact import ExactIndex
from support.shelf import NotingEmbedder, Opened, Shelf, noted

# All that an operation does to the world outside of its process, in the words of the code.
STEPS = (
    (NotingEmbedder, "embed_passages"),
    *((Catalog, name) for name in ("_create", "identity", "set_meta", "announce", "switch", "replace_all")),
    *((Catalog, name) for name in ("put_embeddings", "mark_dirty", "commit", "clear_dirty", "forget_files")),
    (Catalog, "sweep"),
    (Client, "get_or_create_collection"),
    (Client, "delete_collection"),
    (ChromaIndex, "_add"),
    (Collection, "delete"),
    (ExactIndex, "_appended"),
    (ExactIndex, "_commit"),
    (LexicalIndex, "__init__"),
    (LexicalIndex, "add"),
    (LexicalIndex, "delete"),
    (LexicalStore, "drop_all_but"),
)
SAVE_EVERY = 3
TABLES = ("files", "documents", "chunks", "embeddings", "dirty", "freed", "pending")


def paragraphs(name: str, *words: str) -> str:
    return "\n\n".join(f"The observatory of {name} keeps a {word} in the {word} house." for word in words)


def lines(*numbers: int) -> str:
    return "\n".join(json.dumps({"_id": f"{n}", "text": f"Line {n} of the observatory."}) for n in numbers)


BEFORE = {
    "docs/grown.txt": paragraphs("grown", "lens", "mirror"),
    "docs/shrunk.txt": paragraphs("shrunk", "dome", "gear", "motor", "cable"),
    "docs/edited.txt": paragraphs("edited", "lamp", "shutter", "grating"),
    "docs/same.txt": paragraphs("same", "clock", "compass"),
    "docs/lines.jsonl": lines(*range(12)),
    "docs/sub/gone.txt": paragraphs("gone", "ladder", "rope"),
    "docs/sub/moved.txt": paragraphs("moved", "kettle", "spoon"),
}
AFTER = {
    "docs/grown.txt": paragraphs("grown", "lens", "prism", "mirror", "filter", "baffle"),
    "docs/shrunk.txt": paragraphs("shrunk", "dome"),
    "docs/edited.txt": paragraphs("edited", "lamp", "slit", "grating"),
    "docs/same.txt": BEFORE["docs/same.txt"],
    "docs/lines.jsonl": lines(0, *range(2, 8), *range(20, 28)),
    "docs/sub/renamed.txt": BEFORE["docs/sub/moved.txt"],
    "docs/new.txt": paragraphs("new", "radio", "dish"),
}
QUESTIONS = ("the lens in the lens house", "who keeps a kettle", "grating slit lamp")


def fill(shelf: Shelf, files: Mapping[str, str]) -> Shelf:
    shutil.rmtree(shelf.root / "docs", ignore_errors=True)
    for name, text in files.items():
        shelf.write(name, text)
    return shelf


def indexed(shelf: Shelf, files: Mapping[str, str]) -> Shelf:
    fill(shelf, files).ingest()
    shelf.embedded()
    return shelf


# --- the operations: how to prepare, what to do, and what it comes to when done in one go -------


def first_ingest(at: Path) -> None:
    fill(Shelf(at), BEFORE)


def replaced_and_pruned(at: Path) -> None:
    fill(indexed(Shelf(at), BEFORE), AFTER)


def standing(at: Path) -> None:
    indexed(Shelf(at), BEFORE)


def do_ingest(at: Path) -> None:
    Shelf(at).ingest(prune=True)


def do_remove(at: Path) -> None:
    try:
        Shelf(at).open().remove("docs/sub", "docs/shrunk.txt")
    except InputError:  # it was removed before the process was killed
        assert not {"docs/sub/gone.txt", "docs/shrunk.txt"} & {*Shelf(at).open().sources()}


def do_rebuild(at: Path) -> None:
    Shelf(at).open().rebuild()


def do_rebuild_anew(at: Path) -> None:
    Shelf(at, tokens=40).open().rebuild(embed=True)


def whole_before(at: Path) -> None:
    indexed(Shelf(at), BEFORE)


def whole_after(at: Path) -> None:
    indexed(Shelf(at), AFTER)


def whole_rest(at: Path) -> None:
    rest = {name: text for name, text in BEFORE.items() if "sub/" not in name and "shrunk" not in name}
    indexed(Shelf(at), rest)


def whole_anew(at: Path) -> None:
    indexed(Shelf(at, tokens=40), BEFORE)


Act = Callable[[Path], None]
OPERATIONS: dict[str, tuple[Act, Act, Act]] = {
    "ingest": (first_ingest, do_ingest, whole_before),
    "replace": (replaced_and_pruned, do_ingest, whole_after),
    "remove": (standing, do_remove, whole_rest),
    "rebuild": (standing, do_rebuild, whole_before),
    "rebuild --embed": (standing, do_rebuild_anew, whole_anew),
}


# --- what an index is ---------------------------------------------------------------------------


def contents(at: Path) -> dict[str, Any]:
    """All that must be equal, whichever way the index came to be."""
    shelf = Shelf(at)
    opened = shelf.open()
    generation = opened.index.current()
    collection = chroma_of(generation)
    held = collection.get(include=["documents", "metadatas"])
    metadata = [sorted(map(str, (row or {}).items())) for row in held["metadatas"] or ()]
    return {
        **{name: shelf.rows(name) for name in TABLES},
        "fingerprint": [opened.index.catalog.meta("fingerprint")],
        "dense": sorted(zip(held["ids"], held["documents"] or (), metadata, strict=True)),
        "lexical": sorted(hit.id for hit in generation.lexical.search("observatory", 1000)),
        "counts": [
            generation.vectors.count(),
            len([*(shelf.folder / "vectors").iterdir()]),
            generation.lexical.count(),
            collections(shelf.folder / "chroma" / "chroma.sqlite3"),
            len([*(shelf.folder / "lexical").iterdir()]),
        ],
        "answers": {q: [c.chunk.id for c in opened.retrieve(q, "dense", 5)] for q in QUESTIONS},
        "words": {q: sorted(c.chunk.id for c in opened.retrieve(q, "lexical")) for q in QUESTIONS},
    }


def chroma_of(generation: Generation) -> Collection:
    parts: tuple[ChromaIndex, ExactIndex] = generation.vectors.parts  # type: ignore[attr-defined]  # embedded
    return parts[0]._collection


def collections(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT COUNT(*) FROM collections").fetchone()[0])


def versions(at: Path) -> dict[str, list[str]]:
    """The texts of each document, in order."""
    catalog = Shelf(at).open().index.catalog
    return {source: [chunk.text for chunk in catalog.chunks_of(source)] for source, _ in catalog.sources()}


def reading_problems(opened: Opened, old: dict[str, list[str]], new: dict[str, list[str]]) -> list[str]:
    """Each document must be wholly there, in one of its versions, and both sides must find all of it."""
    catalog = opened.index.catalog
    found = []
    for source in opened.sources():
        texts = [chunk.text for chunk in catalog.chunks_of(source)]
        if texts not in (old.get(source), new.get(source)):
            found.append(f"a reader sees a mixture of {source}: {texts}")
    missing = {*old} & {*new} - {*opened.sources()}
    found += [f"a reader does not see {source}" for source in sorted(missing)]
    standing = {chunk.id: chunk.text for chunks in catalog.all_chunks(100) for chunk in chunks}
    standing_ids = {*standing}
    for mode in ("dense", "lexical"):
        candidates = opened.retrieve("observatory", mode, 100)
        ids = {candidate.chunk.id for candidate in candidates}
        # A candidate stands for all passages that are equal word for word.
        said = {candidate.chunk.text for candidate in candidates}
        ids |= {id_ for id_, text in standing.items() if text in said}
        if ids != standing_ids:
            found.append(f"{mode} search finds {len(ids)} of {len(standing_ids)} passages")
    return found


# --- dying ----------------------------------------------------------------------------------------


def at_each_step(tell: Callable[[str], None]) -> None:
    """From now on this process tells the name of each step that it has done."""

    def telling(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            tell(name)
            return result

        return wrapper

    for owner, name in STEPS:
        setattr(owner, name, telling(name, getattr(owner, name)))


def die_after(step: int) -> None:
    """From now on this process is killed right after its `step`-th step."""
    done = count(1)

    def tell(name: str) -> None:
        if next(done) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    at_each_step(tell)


def in_child(act: Callable[[], object], result: Path) -> int:
    """Runs it in a fork of this process, which has opened nothing. Returns the wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            result.write_text(json.dumps(act()))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent reports it
            result.write_text(json.dumps(traceback.format_exc()))
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def outcome(act: Callable[[], object], result: Path) -> Any:
    if in_child(act, result):
        raise SystemExit(json.loads(result.read_text()))
    return json.loads(result.read_text())


def main(work: Path, operation: str) -> list[dict[str, Any]]:
    work.mkdir()
    rag.ingest._GROUP_CHUNKS = 9  # several groups of several documents
    rag.ingest._SAVE_EVERY = SAVE_EVERY
    prepare, act, in_one_go = OPERATIONS[operation]
    result, base, whole, trial = (work / name for name in ("result", "base", "whole", "trial"))
    outcome(lambda: prepare(base), result)
    for module in outcome(lambda: [in_one_go(whole), *sys.modules], result)[1:]:
        with suppress(ImportError):  # some have no file
            import_module(module)  # once here, rather than in each child
    gc.disable()
    gc.freeze()  # a collection would copy to each child all that it only reads
    expected = outcome(lambda: contents(whole), result)
    old = outcome(lambda: versions(base), result) if (base / "index").exists() else {}
    new = outcome(lambda: versions(whole), result)

    def renew() -> None:
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(base, trial)

    def rehearse() -> list[str]:
        names: list[str] = []
        at_each_step(names.append)
        act(trial)
        return names

    def killed(step: int) -> None:
        die_after(step)
        act(trial)

    def again() -> list[str]:
        problems = reading_problems(Shelf(trial).open(), old, new)
        act(trial)
        return problems + differences(expected, contents(trial))

    renew()
    names: list[str] = outcome(rehearse, result)
    report: list[dict[str, Any]] = []
    for step, name in enumerate(names, start=1):
        renew()
        assert os.WIFSIGNALED(in_child(partial(killed, step), result)), result.read_text()
        first_run = noted(Shelf(trial).notes)
        failed = in_child(again, result)
        problems = [result.read_text()] if failed else json.loads(result.read_text())
        lost = first_run[-3 * SAVE_EVERY :]
        texts = noted(Shelf(trial).notes)
        twice = Counter(texts) - Counter({*texts}) - Counter(lost)
        problems += [f"embedded twice: {text}" for text in twice]
        report.append({"step": step, "name": name, "problems": problems})
    return report


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    actual = json.loads(json.dumps(actual))
    return [
        f"{name} differ: missing {[row for row in whole if row not in found]}, "
        f"too much {[row for row in found if row not in whole]}"
        for name, whole in expected.items()
        if (found := actual[name]) != whole
    ]


if __name__ == "__main__":
    folder, *operations = sys.argv[1:]
    reports = {name: main(Path(folder) / str(at), name) for at, name in enumerate(operations)}
    print(json.dumps(reports))  # noqa: T201 - read by the test
