"""Manuals of other people, where `scripts/manuals` has laid them out: nothing lost, orphaned or bare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.chunkers.structure import StructureSettings
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.loaders import LoaderSettings, load_file
from rag.loaders.decoding import decode
from rag.loaders.html import read
from rag.markdown import visible
from rag.types import Document

SETS = Path.home() / ".cache" / "rag-manuals" / "sets"
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})\s*")

# The last line of a passage must be no term: its definition would stand in the next one.
_TERM = re.compile(r"^\S.*[^:]:::?$")

pytestmark = pytest.mark.slow  # megabytes of manuals


def files(name: str) -> list[Path]:
    folder = SETS / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: `scripts/manuals` lays it out")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def documents(name: str) -> Iterator[Document]:
    for path in files(name):
        for loaded in load_file(path, path.name, path.read_bytes(), LoaderSettings()):
            if isinstance(loaded, Document):
                yield loaded


@pytest.mark.parametrize("name", ["bash", "git", "policy", "sqlite"])
def test_passages_hold_every_word_and_none_is_orphaned(
    embedder: SentenceTransformersEmbedder, name: str
) -> None:
    chunker = StructureSettings().build(embedder)
    for document in documents(name):
        chunks = chunker.chunk(document)
        whole = "".join("".join(chunk.text.split()) for chunk in chunks)
        assert whole == "".join(document.text.split())
        for chunk in chunks:
            assert document.text[chunk.start : chunk.end] == chunk.text
            assert not _FENCE.fullmatch(chunk.text)
            assert chunk.markup != "asciidoc" or not _TERM.search(chunk.text.rstrip().split("\n")[-1])
            if document.markup == "markdown":
                assert not re.match(r"\s*:\s", chunk.text)
                if re.match(r"\s*\|", chunk.text):
                    assert re.search(r"\|( ?-+ ?\|)+", chunk.lead + chunk.text)


def test_what_a_pdf_shows_its_markdown_or_its_furniture_shows() -> None:
    import pypdfium2  # type: ignore[import-untyped]  # it ships no types

    (path,) = files("bash")
    (found,) = documents("bash")
    with pypdfium2.PdfDocument(path) as pdf:
        shown = [page.get_textpage().get_text_range() for page in pdf]
    told = {*re.findall(r"\w+", visible(found.text))}
    lines = [line for page in shown for line in re.sub("[\ufffe\x02](?:\r?\n)?", "", page).split("\n")]
    lost = [line for line in lines if not {*re.findall(r"\w+", line)} <= told]
    # Words broken at the end of a line are joined; heads and contents say what is said elsewhere.
    assert len(lost) <= 2 * len(shown) + found.furniture


@pytest.mark.parametrize("name", ["policy", "sqlite"])
def test_what_a_page_shows_its_markdown_shows(name: str) -> None:
    from bs4 import BeautifulSoup

    for path in (path for path in files(name) if path.suffix == ".html"):
        html = decode(path.read_bytes())
        page = read(html)
        soup = BeautifulSoup(html, "lxml")
        for tag in soup.select(
            "script, style, title, svg, noscript, template, button, select, input, textarea"
        ):
            tag.extract()
        shown = {*re.findall(r"\w+", soup.get_text(" "))}
        told = visible(page.text) + "\n" + "\n".join(page.furniture)
        missing = shown - {*re.findall(r"\w+", told)}
        # Raised and lowered figures are written as such.
        assert {word for word in missing if not word.isdigit() and word not in told} == set()
