"""Do the documents at hand still say what the questions were written for?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from manuals.manual_set import ManualSet
from manuals.questions import ManualQuestion, read_questions
from manuals.sets import lay_out
from manuals.visible import Visible, read_visible
from manuals.wording import says


def check_set(manual: ManualSet, cache: Path) -> list[str]:
    """What is wrong, one line each: a fact that a gold page does not hold, an anchor that is gone."""
    folder, version = lay_out(manual, cache)
    texts = {name: read_visible(folder / name) for name in manual.files if (folder / name).exists()}
    problems = [_other_version(manual, version)] if version != manual.version else []
    problems += [f"{manual.name}: the package has no {name}" for name in manual.files if name not in texts]
    for question in read_questions(manual):
        problems += _problems(question, texts)
    return problems


def missing_facts(manual: ManualSet, cache: Path) -> frozenset[str]:
    """The questions whose fact none of their pages holds any more: nobody could answer them."""
    folder, _ = lay_out(manual, cache)
    questions = [question for question in read_questions(manual) if question.answerable]
    names = {name for question in questions for name in question.pages if (folder / name).exists()}
    texts = {name: read_visible(folder / name).text for name in names}
    return frozenset(
        q.id for q in questions if not any(says(texts.get(name, ""), q.fact) for name in q.pages)
    )


def _other_version(manual: ManualSet, version: str) -> str:
    return (
        f"{manual.name}: {manual.package} is {version} here; the questions were written for {manual.version}"
    )


def _problems(question: ManualQuestion, texts: Mapping[str, Visible]) -> Iterator[str]:
    for name in question.pages:
        if not says(texts[name].text if name in texts else "", question.fact):
            yield f"{question.id}: {name} does not say {question.fact!r}"
    for anchor in question.anchors:
        name, _, place = anchor.partition("#")
        if name in texts and place and place not in {known for _, known in texts[name].anchors}:
            yield f"{question.id}: there is no {anchor}"
