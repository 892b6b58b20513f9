"""A new kind of a part is one file and its line in the room's list: tried in a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.places import ROOT, SUPPORT


@dataclass(frozen=True)
class Addition:
    """The room, its new file, and its list before and after: with what is imported."""

    room: str
    file: str
    imported: str
    listed: tuple[str, str]

    def to(self, package: Path) -> None:
        shutil.copy(SUPPORT / "new_kinds" / f"{self.file}.py", package / self.room)
        registry = package / self.room / "__init__.py"
        text = registry.read_text("utf-8")
        before, after = self.listed
        assert text.count(before) == 1, self
        head, future, rest = text.replace(before, after).partition("from __future__ import annotations\n")
        registry.write_text(f"{head}{future}{self.imported}\n{rest}", "utf-8")


def kind(room: str, file: str) -> Addition:
    settings = f"{file.capitalize()}Settings"
    listed = ("= Annotated[", f"= Annotated[{settings} | ")
    return Addition(room, file, f"from rag.{room}.{file} import {settings}", listed)


ADDITIONS = [
    kind("stores", "memory"),
    kind("embedders", "hashed"),
    kind("retrievers", "nearest"),
    kind("rerankers", "shared"),
    kind("generators", "first"),
    kind("chunkers", "lines"),
    Addition(
        "loaders", "shout", "from rag.loaders import shout", ("] = (\n", '] = ((shout.load, ".shout"),\n')
    ),
]
CONFIG = """
store: {kind: memory, path: index}
embedder: {kind: hashed}
chunker: {kind: lines}
retriever: {kind: nearest}
reranker: {kind: shared, threshold: 0.3}
policy: {fallback: [shared, none], cascade: [{kind: shared, top_k: 5}], deadline_ms: 10000}
reader: {kind: none}
generator: {kind: first}
run: {sources: [docs], questions: questions.jsonl}
"""
# One process, so that a store in memory lasts from one command to the next.
PROGRAM = """
import contextlib, io, json, sys
from rag.cli.app import main
told = []
for line in sys.stdin.read().splitlines():
    sys.argv, code = ["rag", *line.split("|")], 0
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    for stream in (out, err):
        stream.seek(0)
    told.append([code, out.read(), err.read()])
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one kind more in every room."""
    root = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "rag", root / "rag", ignore=shutil.ignore_patterns("__pycache__"))
    for addition in ADDITIONS:
        addition.to(root / "rag")
    shutil.copy(SUPPORT / "new_kinds" / "counts_runtime.py", root / "rag" / "models")
    names = root / "rag" / "models" / "choice.py"
    names.write_text(names.read_text().replace('Literal["auto", ', 'Literal["auto", "counts", ', 1))
    return root


def python(root: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_kinds_go_through_every_command(extended: Path) -> None:
    (extended / "config.yaml").write_text(CONFIG)
    own = CONFIG.replace("nearest", "hybrid")
    (extended / "own.yaml").write_text(own)
    (extended / "none.yaml").write_text(own.replace("reranker: {kind: shared", "reranker: {kind: none"))
    (extended / "docs").mkdir()
    (extended / "docs" / "dome.shout").write_text("THE DOME CLOSES AT DUSK.\nSOUP IS SERVED AT NOON.\n")
    (extended / "questions.jsonl").write_text('{"_id": "1", "text": "when is soup served"}\n')
    commands = [
        "ingest|docs|--config|config.yaml|--json",
        "ask|when is soup served|--config|config.yaml|--json",
        "doctor|--config|config.yaml|--json",
        "plan|config.yaml|--json",
        "models|config.yaml|--json",
        "rebuild|--config|config.yaml|--json",
        *(f"train|{name}.yaml|--synthetic|5" for name in ("config", "own", "none")),
    ]
    told = json.loads(python(extended, "-c", PROGRAM, given="\n".join(commands)))
    ingested, asked, examined, planned, used, _, *trained = told
    assert [code for code, *_ in told] == [0, 0, 0, 0, 0, 0, 1, 1, 1], told
    assert json.loads(ingested[1])["chunks"] == 2
    answer = json.loads(asked[1])
    assert answer["text"] == "soup is served at noon. [1]"
    assert answer["trace"]["rerank"]["kind"] == "shared"
    assert {check["name"]: check["ok"] for check in json.loads(examined[1])["checks"]}["index"]
    assert json.loads(planned[1])["parts"] == []
    assert json.loads(used[1])["models"] == []
    refusals = [" ".join(error.replace("│", "").split()) for _, _, error in trained]
    assert "retriever.kind 'nearest' keeps its passages to itself" in refusals[0]
    assert "reranker.kind 'shared' is not a model that can be trained here" in refusals[1]
    assert "embedder.kind 'hashed' is no model of this machine" in refusals[2]


RUNTIME = """
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.models.choice import choose
from rag.models.folder import BUNDLED_NAME, find_model
folder = find_model(BUNDLED_NAME, None)
embedder = SentenceTransformersSettings(runtime="counts").build()
one, other = (vectors.vector for vectors in embedder.embed_questions(["dome dome dome", "lens"]))
chosen = choose("counts", "auto", None, folder)
print(chosen.file.cross_encoder(folder, None, "auto").score("a", ["b"], None, 64))
print(choose("auto", "auto", "cpu", folder).runtime, round(float(one @ one), 3), float(one @ other) < 0.7)
"""


def test_a_new_runtime_is_a_file_and_its_name(extended: Path) -> None:
    assert python(extended, "-c", RUNTIME).split("\n")[:2] == ["([5.0], 0)", "openvino 1.0 True"]


def test_new_kinds_keep_the_rules_of_the_architecture(extended: Path) -> None:
    (extended / "tests" / "support").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "test_architecture.py", extended / "tests")
    shutil.copy(SUPPORT / "places.py", extended / "tests" / "support")
    shutil.copytree(ROOT / "configs", extended / "configs")
    python(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=tests", "tests")
