"""report.html: a run on one page that needs nothing but a browser.

Documents are hostile: everything is escaped, and the page's own policy lets nothing load or run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.runs.line import AnswerLine
from rag.runs.questions import AskedQuestion
from rag.runs.run_file import RunFile
from rag.shown import shown


def report_html(run: RunFile, questions: Sequence[AskedQuestion], answers: Sequence[AnswerLine]) -> str:
    """`answers` in the questions' order."""
    entries = list(zip(questions, answers, strict=True))
    return render("report.html.j2", run=run, entries=entries)


def render(template: str, **values: Any) -> str:
    """A page in which all that the values say is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # 30 ms that other commands need not pay

    environment = Environment(
        loader=PackageLoader("rag"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: shown(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
