from __future__ import annotations

import pytest

from rag import Rag, Settings
from rag.errors import InputError
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.retrievers.own_index import OwnIndexSettings
from rag.types import CandidateTrace

QUESTION = "How do I reset the tracker?"


def changed(settings: Settings, **sections: object) -> Rag:
    """The same index under other settings."""
    return Rag(settings.model_copy(update=sections))


def traced(rag: Rag) -> dict[str, list[CandidateTrace]]:
    """The rows of each source."""
    rows = rag.search(QUESTION).trace.candidates
    return {source: [row for row in rows if row.source == source] for source in {row.source for row in rows}}


def test_a_document_that_reaches_the_prompt_is_told_as_kept(handbook: Rag) -> None:
    source = next(s for s in traced(handbook) if s.endswith("resetting-the-tracker.md"))
    absence = handbook.why(QUESTION, source)
    assert (absence.stage, absence.source) == ("kept", source)
    assert "passage number 1 of the ranking" in absence.reason
    assert absence.row is not None
    assert absence.row.kept
    assert absence.excerpt


def test_a_document_below_the_threshold_is_told_with_both_numbers(handbook_settings: Settings) -> None:
    strict = changed(handbook_settings, reranker=LateInteractionSettings(threshold=1.0))
    source, rows = next(iter(traced(strict).items()))
    absence = strict.why(QUESTION, source)
    best = min(rows, key=lambda row: row.rerank_rank)
    assert absence.stage == "select"
    assert absence.reason == f"relevance {best.relevance:.3f} is below the threshold 1.000"
    assert absence.row == best


def test_a_document_beyond_top_k_is_told_so(handbook_settings: Settings) -> None:
    narrow = changed(handbook_settings, reranker=LateInteractionSettings(threshold=0.0, top_k=1))
    source = next(s for s, rows in traced(narrow).items() if not any(row.kept for row in rows))
    absence = narrow.why(QUESTION, source)
    assert (absence.stage, absence.reason) == ("select", "beyond top_k 1")


def test_a_document_with_one_passage_kept_is_kept_whatever_became_of_its_others(handbook: Rag) -> None:
    for source, rows in list(traced(handbook).items())[:4]:
        assert (handbook.why(QUESTION, source).stage == "kept") == any(row.kept for row in rows)


def test_a_document_that_was_never_a_candidate_is_told_what_it_lacked(handbook_settings: Settings) -> None:
    narrow = changed(handbook_settings, retriever=OwnIndexSettings(top_n=3))
    everywhere = set(narrow.documents())
    source = next(s for s in sorted(everywhere - set(traced(narrow))) if s.endswith("meals-and-kitchen.md"))
    absence = narrow.why(QUESTION, source)
    assert (absence.stage, absence.row) == ("retrieve", None)
    assert "passages is among the 3 candidates" in absence.reason
    assert "its best cosine is" in absence.reason
    assert "its best BM25" in absence.reason
    assert absence.excerpt


def test_every_document_of_the_index_is_told_its_way(handbook: Rag) -> None:
    sources = handbook.documents()
    stages = {handbook.why(QUESTION, source).stage for source in sources[::14]}
    assert stages <= {"kept", "select", "retrieve"}


def test_a_document_that_is_not_in_the_index_is_an_error_that_says_where_to_look(handbook: Rag) -> None:
    with pytest.raises(InputError, match=r"'nowhere\.md' is not in the index: `rag status --sources`"):
        handbook.why(QUESTION, "nowhere.md")
