"""A report opens without a network, in the dark, on a phone and aloud; its pictures are files too."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.arms import DOCUMENTS, arm, evaluation, failed, line, question, with_relevant_at
from support.pages import HOSTILE, Page

from rag.evaluation.compare import contrast
from rag.evaluation.naming import Naming
from rag.evaluation.pages import pictures
from rag.evaluation.pages.one import evaluation_page
from rag.evaluation.pages.page import write_report
from rag.evaluation.pages.several import comparison_page
from rag.evaluation.scoring import Evaluation
from rag.runs.report import render

PLACES = [1, 2, 3, 5, 8, 1] * 4
OUT = Path("out")


def shown(evaluated: Evaluation) -> tuple[str, Page]:
    html = render("evaluation.html.j2", page=evaluation_page(evaluated))
    return html, Page(html)


@pytest.fixture(scope="module")
def html() -> str:
    return shown(arm("a.yaml", PLACES))[0]


def hostile() -> Evaluation:
    """Names and texts that would be markup, mathematics or a path, were they not text."""
    names = (f"{HOSTILE}.md", "$x^2$ & $y", "日本語.md", *DOCUMENTS[3:])
    asked = question("q<1>", names[0]).model_copy(update={"text": HOSTILE})
    told = line("q<1>", before=names, after=(names[1], names[0], *names[2:]))
    return evaluation([told], "<b>.yaml", [asked])


# --- one page ------------------------------------------------------------------------------


def test_the_first_screen_has_the_verdict_in_words() -> None:
    for places, said in (([1] * 40, "Reranking pays"), ([9] * 40, "does harm"), ([3] * 40, "no difference")):
        html, page = shown(arm("a.yaml", places))
        assert said in page.text
        assert html.index(said) < html.index("<h2")
    assert "about" in shown(arm("a.yaml", [1, 2, 3, 4]))[1].text


def test_it_has_every_picture_and_each_as_a_table(html: str) -> None:
    page = Page(html)
    captions = " ".join(dict(attributes).get("aria-label") or "" for _, attributes in page.tags)
    for title in ("before and after", "Who moved where", "Each question's gain", "Quality against time"):
        assert title in captions
    assert "Is a relevance of 0.7 right" in captions
    assert page.text.count("The same as a table") == sum(tag == "figure" for tag, _ in page.tags) == 5


def test_the_page_is_well_formed_and_loads_and_runs_nothing(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "iframe", "link", "object", "image"})
    assert "default-src 'none'" in html
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href"):
                assert (value or "").startswith("#")
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_ids_are_unique_and_references_lead_to_them(html: str) -> None:
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"url\(#([^)]*)\)", html)) | set(re.findall(r'href="#([^"]*)"', html))
    assert wanted <= set(ids)


def test_pictures_take_the_pages_colours_light_or_dark(html: str) -> None:
    drawn = html[html.index("<svg") :]
    for colour in (pictures.INK, pictures.SOFT, pictures.GRID, pictures.BEFORE, pictures.AFTER):
        assert colour not in drawn
    assert "var(--ink)" in drawn
    for variable in set(re.findall(r"var\((--[a-z-]+)\)", html)):
        assert len(re.findall(rf"{variable}:", html)) == 2, f"{variable} is set for light and for dark"
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html


def test_each_picture_says_aloud_what_it_shows(html: str) -> None:
    drawn = [dict(attributes) for tag, attributes in Page(html).tags if tag == "svg"]
    assert len(drawn) == 5
    for attributes in drawn:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"] or "") > 40
        assert "width" not in attributes, "as wide as there is room"


def test_what_documents_and_questions_say_stays_text() -> None:
    _, page = shown(hostile())
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert "<script>alert(1)</script>" in page.text
    assert "$x^2$ & $y" in page.text
    assert "日本語.md" in page.text
    assert page.open == []
    assert "{{ 7 * 7 }}" in page.text


def test_questions_that_got_worse_are_listed_the_worst_first() -> None:
    _, page = shown(arm("a.yaml", [1, 9, 5, 4]))
    listed = page.text[page.text.rindex("Questions that got worse") :]
    assert listed.index("Question q001?") < listed.index("Question q002?") < listed.index("Question q003?")


def test_kinds_of_questions_are_told_apart_where_the_dataset_has_them() -> None:
    asked = [question("q1", kind="table"), question("q2", kind="number"), question("q3", "", kind="number")]
    told = [line("q1", before=with_relevant_at(4)), line("q2"), line("q3", found=False)]
    _, page = shown(evaluation(told, questions=asked))
    words = " ".join(page.text[page.text.rindex("By kind of question") :].split())
    assert "number21.0001.0001" in words
    assert "table10.4311.0001" in words


def test_synthetic_questions_failures_and_missing_documents_are_told_on_top() -> None:
    asked = [question("q1", synthetic=True), question("q2")]
    found = evaluation([line("q1"), failed("q2")], questions=asked)
    _, page = shown(replace(found, naming=Naming("", ("gone.md",))))
    top = page.text[: page.text.index("Before and after")]
    assert "1 of 2 questions are synthetic" in top
    assert "1 questions failed" in top
    assert "such as gone.md" in top


def test_without_judgements_or_answers_there_is_still_a_page() -> None:
    for found in (
        evaluation([line("q1", found=False)], questions=[question("q1", "", answerable=False)]),
        evaluation([failed("q1")]),
        evaluation([line("q1", before=(), after=())]),
    ):
        html, page = shown(found)
        assert page.open == []
        assert not re.search(r"\bnan\b", html)


def test_the_same_evaluation_gives_the_same_page() -> None:
    assert shown(arm("a.yaml", PLACES))[0] == shown(arm("a.yaml", PLACES))[0]


# --- several -------------------------------------------------------------------------------


def test_a_comparison_shows_every_arm_gain_and_refusal() -> None:
    arms = [arm("a.yaml", PLACES), arm("b.yaml", [1] * 24), evaluation([failed("q000")], "c.yaml")]
    page = Page(render("evaluation.html.j2", page=comparison_page(contrast(arms, OUT))))
    assert page.open == []
    top = page.text[: page.text.index("ndcg@10 of each")]
    assert "Adopt" in top
    assert "c.yaml was refused" in top
    assert "win / tie / loss" in page.text
    assert "b.yaml: adopt" in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_two_configs_of_one_name_in_two_folders_keep_their_pictures_apart(tmp_path: Path) -> None:
    arms = [arm("a.yaml", PLACES), arm("x/b.yaml", [1] * 24), arm("y/b.yaml", [2] * 24)]
    write_report(comparison_page(contrast(arms, OUT)), tmp_path)
    assert len(list((tmp_path / "pictures").glob("gains-*.svg"))) == 2


# --- files ---------------------------------------------------------------------------------


def test_the_pictures_are_files_too(tmp_path: Path) -> None:
    write_report(evaluation_page(hostile()), tmp_path)
    names = {path.stem for path in (tmp_path / "pictures").glob("*.svg")}
    assert {"means", "bump", "gains", "reliability", "latency"} == names
    for name in names:
        svg = (tmp_path / "pictures" / f"{name}.svg").read_text("utf-8")
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in svg, "a file of its own has colours of its own"
        png = (tmp_path / "pictures" / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", png[16:24])
        assert width > 500
        assert height > 150
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_relevant_documents_are_in_the_bump_chart_however_far_down(tmp_path: Path) -> None:
    told = line("q1", before=with_relevant_at(10), after=with_relevant_at(1))
    html, _ = shown(evaluation([told]))
    assert "d0.md from place 10 to 1 (relevant)" in html
