"""Each public name explains itself by an example that runs, and an answer shows itself."""

from __future__ import annotations

import asyncio
import doctest
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import rag
from rag import Answer, AsyncRag, Rag
from rag.types import Citation, Trace


@pytest.fixture
def indexed(notes: Path) -> Path:
    Rag().ingest("notes")
    return notes


def test_every_public_name_has_an_example_that_runs(indexed: Path) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    names: dict[str, Any] = {name: getattr(rag, name) for name in rag.__all__}
    for name, value in names.items():
        (found,) = finder.find(value, name, module=False, globs=dict(names))
        assert found.examples, f"{name} has no example"
        told: list[str] = []
        runner.run(found, out=told.append)
        assert not told, "".join(told)


HOSTILE = "<b>bold</b> *stars* `code` [link](http://x) $x$\n# no heading | cell"
ANSWER = Answer(
    "Why?", HOSTILE, "answered", (), (Citation(1, "a_b_<i>.md", None, None, 0, 1),), Trace(), confidence=0.5
)


def test_an_answer_is_one_line() -> None:
    assert "\n" not in repr(replace(ANSWER, question="Why\nnot?" * 50, text=HOSTILE * 50))
    assert repr(ANSWER).startswith("Answer('Why?', answered, confidence 0.50, 1 source, '<b>bold</b>")


def test_nothing_of_a_document_is_markup_in_a_notebook() -> None:
    html = ANSWER._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "a_b_&lt;i&gt;.md" in html
    from markdown_it import MarkdownIt

    shown = MarkdownIt().render(ANSWER._repr_markdown_())
    assert "<strong>" not in shown
    assert "<h1>" not in shown
    assert "<a " not in shown
    assert "*stars* `code` [link](http://x)" in shown


class Waiting(Rag):
    """Answers once it is told that the loop goes on."""

    goes_on = Event()

    def ask(self, question: str, *args: Any, **kwargs: Any) -> Answer:
        assert self.goes_on.wait(30), "the loop stands still"
        return super().ask(question, *args, **kwargs)


def test_an_event_loop_goes_on_while_a_question_is_answered(indexed: Path) -> None:
    async def main() -> tuple[Answer, list[str | Answer]]:
        async with AsyncRag(Waiting()) as asked:
            answering = asyncio.create_task(asked.ask("Where is the spare fuse?"))
            await asyncio.sleep(0.01)
            Waiting.goes_on.set()
            pieces = [piece async for piece in asked.stream("Where is the spare fuse?")]
            assert (await asked.search("fuse")).passages
            return await answering, pieces

    answer, pieces = asyncio.run(main())
    assert "red drawer" in answer.text
    assert isinstance(pieces[-1], Answer)
    assert pieces[-1].text == answer.text
