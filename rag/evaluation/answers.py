"""How good the answers are: found where there is one, refused where there is none, and well cited."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.evaluation.dataset import LabelledQuestion
from rag.runs.line import AnswerLine

_MARKER = re.compile(r"\[\d+\]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """`exact` and `f1` are None where no reference says what is right."""

    found: bool
    able: bool | None
    exact: float | None
    f1: float | None
    citations: int
    resolved: int
    supported: int


@dataclass(frozen=True, slots=True)
class AnswersSummary:
    """Of all answers of an evaluation. Shares that have nothing under them are None, not 0."""

    answerable: int
    unanswerable: int
    found: int
    precision: float | None
    recall: float | None
    false_answer_rate: float | None
    exact_match: float | None
    f1: float | None
    citations: int
    citations_resolved: float | None
    citations_supported: float | None


def score_answer(question: LabelledQuestion, line: AnswerLine) -> AnswerScore:
    statuses = [citation.status for citation in line.citations or ()]
    text = (line.text if line.found else "") or ""
    compared = bool(question.references) and line.text is not None and question.can_be_answered is not False
    return AnswerScore(
        found=line.found,
        able=question.can_be_answered,
        exact=exact_match(text, question.references) if compared else None,
        f1=token_f1(text, question.references) if compared else None,
        citations=len(statuses),
        resolved=sum(status != "unknown-passage" for status in statuses),
        supported=sum(status == "ok" for status in statuses),
    )


def summarise_answers(scores: Sequence[AnswerScore]) -> AnswersSummary:
    able = [score for score in scores if score.able is True]
    unable = [score for score in scores if score.able is False]
    known = [*able, *unable]
    found = sum(score.found for score in able)
    cited = sum(score.citations for score in scores)
    return AnswersSummary(
        answerable=len(able),
        unanswerable=len(unable),
        found=sum(score.found for score in scores),
        precision=_share(found, sum(score.found for score in known)) if unable else None,
        recall=_share(found, len(able)),
        false_answer_rate=_share(sum(score.found for score in unable), len(unable)),
        exact_match=_mean(score.exact for score in scores),
        f1=_mean(score.f1 for score in scores),
        citations=cited,
        citations_resolved=_share(sum(score.resolved for score in scores), cited),
        citations_supported=_share(sum(score.supported for score in scores), cited),
    )


def exact_match(text: str, references: Iterable[str]) -> float:
    """SQuAD's: equal but for case, punctuation, articles and white space."""
    return float(any(_words(text) == _words(reference) for reference in references))


def token_f1(text: str, references: Iterable[str]) -> float:
    """SQuAD's: of the words in common, against the reference that fits best."""
    return max((_f1(_words(text), _words(reference)) for reference in references), default=0.0)


def _f1(words: Sequence[str], reference: Sequence[str]) -> float:
    if not words or not reference:
        return float(words == reference)
    common = sum((Counter(words) & Counter(reference)).values())
    return 2 * common / (len(words) + len(reference))


def _words(text: str) -> list[str]:
    bare = "".join(c for c in _MARKER.sub(" ", text).lower() if c not in string.punctuation)
    return _ARTICLES.sub(" ", bare).split()


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return sum(given) / len(given) if given else None
