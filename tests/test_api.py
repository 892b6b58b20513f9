from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from support.fakes import EchoGenerator

import rag as package
from rag import Answer, Rag, RagError, Settings, ask
from rag.chunkers.structure import StructureSettings
from rag.errors import InputError, StoreError
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.types import Passage, Question, Reply

QUESTIONS = [
    "How do I reset the tracker?",
    "xqzzv blorptang frumious",
    "How many litres of LN2 do I need to get LYRA cold?",
]


@pytest.fixture
def config(handbook_settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "handbook.yaml"
    path.write_text(f"store: {{path: '{handbook_settings.store.path}'}}\nreranker: {{top_k: 1}}\n")
    return path


@pytest.fixture(scope="module")
def brief(handbook_settings: Settings) -> Rag:
    """The handbook, one passage an answer: the fewer sentences there are to read, the faster."""
    return Rag(handbook_settings.model_copy(update={"reranker": LateInteractionSettings(top_k=1)}))


def told(answer: Answer) -> object:
    return (answer.question, answer.text, answer.found, answer.passages, answer.citations)


def test_one_call_answers_a_question(config: Path, brief: Rag) -> None:
    answer = ask(QUESTIONS[0], config=config)
    assert told(answer) == told(brief.ask(QUESTIONS[0]))
    assert str(answer) == answer.text


def test_a_second_call_uses_the_pipeline_of_the_first(config: Path) -> None:
    """By the same models, whether config or settings name them; only the first call pays for opening."""
    from rag.api import _opened

    ask(QUESTIONS[0], config=config)
    opened = dict(_opened)
    ask(QUESTIONS[1], config=str(config))
    ask(QUESTIONS[1], config=Settings.load(config))
    assert _opened == opened


def test_a_config_that_changed_is_opened_anew(config: Path) -> None:
    assert len(ask(QUESTIONS[0], config=config).passages) == 1
    config.write_text(config.read_text().replace("top_k: 1", "top_k: 2"))
    assert len(ask(QUESTIONS[0], config=config).passages) == 2


def test_many_questions_are_answered_in_their_order(brief: Rag) -> None:
    answers = brief.ask_many(QUESTIONS)
    assert [answer.question for answer in answers] == QUESTIONS
    assert [answer.found for answer in answers] == [True, False, True]
    assert [told(answer) for answer in answers] == [told(brief.ask(question)) for question in QUESTIONS]
    assert brief.ask_many([]) == []


def test_questions_of_a_list_are_asked_side_by_side(brief: Rag) -> None:
    """Each waits in the generator until another one is there too."""
    both = Barrier(2)

    class Meeting(EchoGenerator):
        def generate(self, question: Question, passages: Sequence[Passage]) -> Reply:
            both.wait(30)
            return super().generate(question, passages)

    meeting = replace(brief.pipeline, generator=Meeting)
    assert [answer.found for answer in meeting.ask_many([QUESTIONS[0]] * 2)] == [True, True]


def test_a_stream_gives_pieces_and_then_the_answer(brief: Rag) -> None:
    *pieces, answer = brief.stream(QUESTIONS[0])
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    assert told(answer) == told(brief.ask(QUESTIONS[0]))


def test_a_filter_holds_in_every_call(brief: Rag) -> None:
    source = next(c.chunk.source for c in brief.retrieve(QUESTIONS[0]))
    where = {"source": source}
    found = [
        *(c.chunk.source for c in brief.retrieve(QUESTIONS[0], where)),
        *(p.chunk.source for p in brief.search(QUESTIONS[0], where).passages),
        *(p.chunk.source for p in brief.ask(QUESTIONS[0], where).passages),
        *(p.chunk.source for p in brief.ask_many([QUESTIONS[0]], where)[0].passages),
    ]
    assert set(found) == {source}


def test_a_filter_on_a_misspelt_key_is_an_error(brief: Rag) -> None:
    with pytest.raises(InputError, match="did you mean 'source'"):
        brief.search(QUESTIONS[0], {"sources": "x"})


def test_the_stages_can_be_called_on_their_own(brief: Rag) -> None:
    found = brief.retrieve(QUESTIONS[0])
    passages, trace = brief.rerank(QUESTIONS[0], found)
    rows = brief.search(QUESTIONS[0]).trace.candidates
    assert [(p.chunk.id, p.relevance) for p in passages] == [(row.id, row.relevance) for row in rows]
    assert trace.kind == "late-interaction"


def test_reranking_half_of_the_candidates_gives_each_the_relevance_it_had(brief: Rag) -> None:
    found = brief.retrieve(QUESTIONS[0])
    whole = {p.chunk.id: p.relevance for p in brief.rerank(QUESTIONS[0], found)[0]}
    for part in (found[::2], found[:1], list(reversed(found))):
        for passage in brief.rerank(QUESTIONS[0], part)[0]:
            assert passage.relevance == pytest.approx(whole[passage.chunk.id], abs=1e-6)


def test_settings_that_do_not_fit_the_index_are_refused_when_it_is_opened(
    handbook_settings: Settings,
) -> None:
    with pytest.raises(StoreError, match="rag rebuild --embed"):
        Rag.open(handbook_settings.model_copy(update={"chunker": StructureSettings(tokens=100)}))


def test_what_is_ingested_and_removed_shows_in_the_next_answer(tmp_path: Path) -> None:
    rag = Rag(Settings(store={"path": tmp_path / "index"}))  # type: ignore[arg-type]  # pydantic validates
    with pytest.raises(StoreError, match="there is no index"):
        rag.ask("Where is the spare fuse kept?")
    document = tmp_path / "fuses.md"
    document.write_text("# Fuses\n\nThe spare fuse is kept in the red drawer under the console.\n")
    report = rag.ingest(document)
    assert (report.new, report.chunks, report.embedded) == (1, 1, 1)
    answer = rag.ask("Where is the spare fuse kept?")
    assert "red drawer" in answer.text
    assert answer.citations[0].source is not None
    assert rag.rebuild() == 1
    assert rag.search("Where is the spare fuse kept?").passages == answer.passages
    assert rag.remove(str(document)) == [answer.citations[0].source]
    assert not rag.ask("Where is the spare fuse kept?").found


def test_every_error_is_a_rag_error() -> None:
    errors = [getattr(package, name) for name in package.__all__ if name.endswith("Error")]
    assert len(errors) == 9
    assert all(issubclass(error, RagError) for error in errors)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(package, name) for name in package.__all__)
    assert dir(package) == sorted(package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Raag'"):
        _ = package.Raag


# --- selection, texts, closing -------------------------------------------------------------


def test_a_question_may_select_otherwise_than_the_settings(handbook: Rag) -> None:
    wide = handbook.search(QUESTIONS[0], top_k=9, threshold=0.0)
    assert len(wide.passages) == 9
    assert len(handbook.ask(QUESTIONS[0], top_k=2).passages) == 2
    assert not handbook.ask(QUESTIONS[0], threshold=1.0).found
    assert [len(a.passages) for a in handbook.ask_many(QUESTIONS[:1], top_k=1)] == [1]
    *_, streamed = handbook.stream(QUESTIONS[0], top_k=1)
    assert isinstance(streamed, Answer)
    assert len(streamed.passages) == 1


@pytest.mark.parametrize(("wish", "said"), [({"top_k": 0}, "top_k 0"), ({"threshold": 1.5}, "threshold 1.5")])
def test_a_selection_that_cannot_be_is_refused(handbook: Rag, wish: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        handbook.search(QUESTIONS[0], **wish)  # type: ignore[arg-type]  # mypy sees one type for both


def test_raw_texts_are_ranked_by_the_configured_reranker(handbook: Rag) -> None:
    texts = ["Soup is served at seven.", "To reset the tracker, press the red button.", "Rain."]
    passages, trace = handbook.rerank(QUESTIONS[0], texts)
    assert passages[0].chunk.text == texts[1]
    assert sorted(passage.chunk.ordinal for passage in passages) == [0, 1, 2]
    assert (trace.kind, trace.encoded, trace.candidates) == ("late-interaction", 3, 3)
    assert handbook.rerank(QUESTIONS[0], [])[0] == []


def test_a_closed_rag_answers_no_more_and_lets_go_of_its_files(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    with Rag(Settings(store={"path": tmp_path / "index"})) as rag:  # type: ignore[arg-type]  # pydantic validates
        (tmp_path / "a.md").write_text("The fuse is in the red drawer.")
        rag.ingest(tmp_path / "a.md")
        assert rag.ask("Where is the fuse?").passages
        open_files = [link for link in _links() if str(tmp_path) in link]
        assert open_files
    assert not [link for link in _links() if str(tmp_path) in link]
    rag.close()
    with pytest.raises(InputError, match="closed"):
        rag.ask("Where is the fuse?")


def _links() -> list[str]:
    """What the open file descriptors of this process lead to."""
    gc.collect()
    return [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
