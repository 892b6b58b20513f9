from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from support.builders import SmallIndex, passage
from support.fakes import EchoGenerator

from rag import Rag, Settings
from rag.answers.prompt import NOT_FOUND
from rag.answers.reader import (
    CrossEncoderReaderSettings,
    PassageReader,
    Read,
    Scale,
    evidence,
    probability,
)
from rag.calibration import sigmoid
from rag.contract import answer_json
from rag.errors import ConfigError, ModelError
from rag.models.folder import BUNDLED_NAME, find_model
from rag.types import Answer, Passage, Reading, ReadTrace

TEXTS = {
    "dome.md": "Close the dome when the wind is above 16 metres a second.",
    "wind.md": "The wind vane on the north mast is checked each May.",
}
QUESTION = "When do I close the dome for wind?"


class SaysReader:
    """Says what it was told to say, and remembers what it read."""

    told = "says"

    def __init__(self, found: float, threshold: float = 0.5) -> None:
        self.found = found
        self.threshold = threshold
        self.seen: list[tuple[str, list[str]]] = []

    def load(self) -> None: ...

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:
        return []

    def judge(self, question: str, passages: Sequence[Passage]) -> Read:
        self.seen.append((question, [p.chunk.id for p in passages]))
        scores = tuple((p.chunk.id, self.found) for p in passages)
        return Read(ReadTrace("says", "ok", "", self.found, self.threshold, scores))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    return SmallIndex(tmp_path_factory.mktemp("small"), TEXTS)


# --- in the pipeline -----------------------------------------------------------------------


def test_where_the_reader_sees_no_answer_no_generator_is_asked(small: SmallIndex) -> None:
    generator, reader = EchoGenerator(), SaysReader(0.3)
    answer = small.pipeline(generator=generator, reader=reader).ask(QUESTION)
    assert (answer.found, answer.text, answer.passages) == (False, NOT_FOUND, ())
    assert generator.asked == []
    assert answer.trace.read is not None
    assert (answer.trace.read.found, answer.trace.read.threshold) == (0.3, 0.5)
    assert {row.reason for row in answer.trace.candidates} == {
        "the reader sees no answer: 0.300 is below the threshold 0.500"
    }
    assert not any(row.kept for row in answer.trace.candidates)
    assert [stage.name for stage in answer.trace.stages][-1] == "read"
    assert json.loads(json.dumps(answer_json(answer)))["trace"]["read"]["found"] == 0.3


def test_where_it_sees_one_the_answer_is_as_without_a_reader(small: SmallIndex) -> None:
    reader = SaysReader(0.7)
    without, answer = small.pipeline().ask(QUESTION), small.pipeline(reader=reader).ask(QUESTION)
    assert (answer.text, answer.passages, answer.citations) == (
        without.text,
        without.passages,
        without.citations,
    )
    assert answer.trace.candidates == without.trace.candidates
    assert reader.seen == [(QUESTION, [p.chunk.id for p in answer.passages])]


def test_a_stream_is_refused_as_an_answer_is(small: SmallIndex) -> None:
    *pieces, last = small.pipeline(reader=SaysReader(0.1)).stream(QUESTION)
    assert pieces == [NOT_FOUND]
    assert isinstance(last, Answer)
    assert not last.found


def test_a_search_and_a_question_that_nothing_is_relevant_to_are_not_read(small: SmallIndex) -> None:
    from rag.selection import Rule

    reader = SaysReader(0.1)
    assert small.pipeline(reader=reader).search(QUESTION).passages
    assert not small.pipeline(reader=reader, rule=Rule(threshold=2.0)).ask(QUESTION).found
    assert reader.seen == []


def test_a_question_too_long_to_be_read_is_answered_and_says_so(small: SmallIndex, model: Path) -> None:
    reader = built(model)
    answer = small.pipeline(reader=reader).ask("dome " * 600)
    assert answer.found
    assert answer.trace.read is not None
    assert answer.trace.read.status == "skipped"
    assert any("the reader did not read: the question has" in note for note in answer.trace.notes)


def test_why_names_the_reader_as_the_stage(handbook_settings: Settings, model: Path) -> None:
    question = "How do I reset the tracker?"
    answered = Rag(handbook_settings).ask(question)
    reading = CrossEncoderReaderSettings(kind="cross-encoder", model=str(model), threshold=1.0)
    rag = Rag(handbook_settings.model_copy(update={"reader": reading}))
    absence = rag.why(question, answered.passages[0].chunk.source)
    assert absence.stage == "read"
    assert absence.reason.startswith("the reader sees no answer: ")


# --- the model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder on disk: MiniLM's body under a head of fixed random numbers."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder, body = tmp_path_factory.mktemp("reader") / "model", str(find_model(BUNDLED_NAME, None))
    untrained = AutoModelForSequenceClassification.from_pretrained(body, num_labels=1)
    with torch.no_grad():
        head = np.random.RandomState(7).standard_normal((1, 384)).astype(np.float32)
        untrained.classifier.weight.copy_(torch.from_numpy(head))
    untrained.save_pretrained(folder)
    AutoTokenizer.from_pretrained(body).save_pretrained(folder)
    return folder


def built(model: Path, **settings: object) -> PassageReader:
    given = {"kind": "cross-encoder", "model": str(model), "precision": "fp32", **settings}
    return CrossEncoderReaderSettings.model_validate(given).build()


def test_what_is_read_counts_as_far_as_its_passage_is_relevant(model: Path) -> None:
    passages = [
        passage(0.2, "Soup is at seven.", "a.md", rank=2),
        passage(0.6, TEXTS["dome.md"], "b.md", rank=1),
    ]
    reader = built(model)
    trace = reader.judge(QUESTION, passages).trace
    # The most relevant one first, whatever the order of the prompt.
    assert [id_ for id_, _ in trace.scores] == [passages[1].chunk.id, passages[0].chunk.id]
    first, second = (math.log(p / (1 - p)) for _, p in trace.scores)
    odds = 0.6 / 0.4, 0.2 / 0.8
    weighed = (odds[0] * first + odds[1] * second) / sum(odds)
    assert trace.found == pytest.approx(sigmoid(weighed), abs=1e-5)
    alone = reader.judge(QUESTION, passages[:1]).trace
    assert alone.scores[0][1] == pytest.approx(trace.scores[1][1], abs=1e-5)


def test_no_more_passages_are_read_than_asked_for(model: Path) -> None:
    passages = [passage(0.9 - i / 10, f"Passage {i}.", f"{i}.md", rank=i + 1) for i in range(6)]
    trace = built(model, passages=2).judge(QUESTION, passages).trace
    assert [id_ for id_, _ in trace.scores] == [p.chunk.id for p in passages[:2]]


def test_the_scale_of_its_folder_holds_and_the_settings_threshold_wins(model: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(model, folder := tmp_path / "scaled")
    scale = Scale(relevance=0.5, reading=2.0, bias=-1.0, threshold=0.25, fitted_on="few")
    (folder / "scale.json").write_text(scale.model_dump_json())
    assert built(folder).scale == scale
    assert built(folder, threshold=0.9).scale.threshold == 0.9
    assert "few" in built(folder).told
    assert "not fitted" in built(model).told
    (folder / "scale.json").write_text('{"relevance": "high"}')
    with pytest.raises(ConfigError, match="cannot be read as the scale"):
        built(folder)


@pytest.mark.parametrize("relevance", [0.0, 1.0])
def test_a_certain_relevance_does_not_settle_what_is_read(relevance: float) -> None:
    scale = Scale(relevance=1.0, reading=1.0)
    low, high = (probability(scale, *evidence([relevance], [value])) for value in (-30.0, 30.0))
    assert low < 0.01 < 0.99 < high


def test_a_model_that_is_not_there_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"reader\.model 'no-such/reader' cannot be used"):
        built(Path("no-such/reader"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"reader\.model .*empty.* cannot be used"):
        built(tmp_path / "empty").load()


def test_a_threshold_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValidationError):
        CrossEncoderReaderSettings(kind="cross-encoder", model="m", threshold=1.5)
