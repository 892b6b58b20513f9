"""`rag train`: what is learned from what, by which steps, and when it is refused."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support import tiny, training_killed
from support.collection import write_collection
from support.places import HANDBOOK, SUPPORT
from torch import Tensor
from typer.testing import CliRunner

from rag import ConfigError, InputError, Rag, Settings
from rag.cli.app import app
from rag.contract import to_json
from rag.errors import ModelError, StoreError
from rag.evaluation.dataset import Dataset, LabelledQuestion
from rag.evaluation.naming import Naming
from rag.feedback import Feedback, JudgedPassage, add_feedback
from rag.models.card import read_card
from rag.models.token_bits import maxsim_floats
from rag.protocols import silent
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.multi_vector import MultiVectorTokens
from rag.training.learning.average import choose_share
from rag.training.learning.batches import Batch, Batches
from rag.training.learning.checkpoint import Checkpoint
from rag.training.learning.cross_encoder import CrossEncoderStudent
from rag.training.learning.loop import Loop, weights_of
from rag.training.learning.losses import contrast, maxsim
from rag.training.learning.multi_vector import MultiVectorStudent
from rag.training.lessons.feedback import feedback_questions
from rag.training.lessons.lesson import Lesson, Text, read_lessons, write_lessons
from rag.training.lessons.mining import Miner, spans_of
from rag.training.lessons.split import parted
from rag.training.lessons.titles import title_lessons
from rag.training.options import Options
from rag.training.recipe import Recipe
from rag.training.train import Training
from rag.training.trained import Trained, summarise_training
from rag.training.trainee import trainee_of
from rag.types import Chunk, Passage

QUICK = Recipe(rate=1e-4, epochs=2, questions=8, wrong=2, pairs=0, evaluations=1, shares=(0.5,))


# --- the whole, on a collection whose users have words of their own -------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("training")
    write_collection(root / "shelves", questions=80)
    return root


def training(root: Path, out: str, recipe: Recipe = QUICK, **options: Any) -> Training:
    given = Options(root / out, indexes=root / "indexes", **options)
    dataset = Dataset.load(root / "shelves", "train")
    return Training(Settings(), "config.yaml", dataset, recipe, given, silent)


@pytest.fixture(scope="module")
def trained(root: Path) -> Trained:
    return training(root, "models/shelves").run(lambda plan: None)


def test_a_model_learns_the_words_of_its_users_and_is_installed(trained: Trained) -> None:
    assert trained.installed
    assert trained.judgement.gain.low > 0.1
    assert trained.judgement.after > trained.judgement.before
    assert trained.course.losses[-1].losses["late"] < trained.course.losses[0].losses["late"] / 2
    assert not trained.out.with_name("shelves.training").exists()


def test_the_folder_holds_the_model_its_card_its_record_and_its_calibration(trained: Trained) -> None:
    card = (trained.out / "README.md").read_text()
    assert f"{trained.judgement.gain.mean:+.3f}" in card
    assert trained.lines in card
    record = json.loads((trained.out / "training.json").read_text())
    assert record["recipe"]["seed"] == 0
    assert {"train", "stop", "judge", "lessons", "titles"} == record["hashes"].keys()
    assert len(record["losses"]) == trained.course.done
    assert "torch" in record["versions"]
    assert record["license"] == read_card(trained.out).licence == "Apache-2.0"
    assert "questions" in read_card(trained.out).trained_on
    assert json.loads(json.dumps(to_json(summarise_training(trained))))["verdict"]["word"] == "adopt"


def test_the_lines_of_config_use_it_once_the_index_is_encoded_anew(
    root: Path, trained: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    lines = yaml.safe_load(trained.lines)
    path.write_text(yaml.safe_dump({"store": {"path": str(tmp_path / "index")}}))
    Rag(Settings.load(path)).ingest(root / "shelves" / "corpus.jsonl")
    path.write_text(yaml.safe_dump({"store": {"path": str(tmp_path / "index")}, **lines}))
    rag = Rag(Settings.load(path))
    with pytest.raises(StoreError, match="`rag rebuild --embed`"):
        rag.ask("Where is the zorbel beside the mivrot?")
    rag.rebuild(embed=True)
    found = rag.search("Where is the zorbel beside the mivrot?").passages
    assert "lamp" in found[0].chunk.text
    assert "ladder" in found[0].chunk.text
    assert not rag.pipeline.calibration.warning
    assert rag.pipeline.calibration.fitted_on


def test_a_calibration_of_the_trained_model_is_noticed_under_another_embedder(
    root: Path, trained: Trained, tmp_path: Path
) -> None:
    calibration = {"calibration": trained.out / "calibration.yaml"}
    settings = Settings(store={"path": tmp_path / "index"}, reranker=calibration)  # type: ignore[arg-type]  # pydantic validates
    rag = Rag(settings)
    rag.ingest(root / "shelves" / "corpus.jsonl")
    assert "run `rag calibrate` again" in rag.pipeline.calibration.warning


# --- refused --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.bi_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def rag_train(root: Path, model: Path, tmp_path: Path) -> Callable[..., Any]:
    """Of a model that knows nothing, which takes next to no time."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"embedder": {"model": str(model)}}))
    fixed = [str(config), str(root / "shelves"), "--out", str(tmp_path / "out")]
    fixed += ["--indexes", str(root / "tiny-indexes"), "--questions", "8"]
    return lambda *more: CliRunner().invoke(app, ["train", *fixed, *more])


def test_a_model_that_is_not_better_is_refused_and_force_keeps_it_without_training_again(
    rag_train: Callable[..., Any], tmp_path: Path
) -> None:
    hardly = ("--rate", "1e-9", "--epochs", "0.01", "--json")
    done = rag_train(*hardly)
    assert done.exit_code == 4
    found = json.loads(done.stdout)
    assert not found["installed"]
    assert found["verdict"]["word"] == "keep"
    assert found["verdict"]["gain"]["mean"] == 0
    assert not (tmp_path / "out").exists()

    forced = rag_train(*hardly, "--force")
    assert forced.exit_code == 0
    assert json.loads(forced.stdout)["seconds"] == found["seconds"]
    assert "Installed by force" in (tmp_path / "out" / "README.md").read_text()


def test_a_plan_tells_pairs_steps_and_minutes_and_trains_nothing(
    rag_train: Callable[..., Any], tmp_path: Path
) -> None:
    done = rag_train("--plan", "--json", "--minutes", "0.01")
    assert done.exit_code == 0
    plan = json.loads(done.stdout)
    assert plan["train"] + plan["stop"] + plan["judge"] == 80
    assert plan["pairs"] == plan["train"]
    assert plan["seconds_a_step"] > 0
    assert 1 <= plan["steps"] <= max(1, int(0.6 / plan["seconds_a_step"]))
    assert plan["minutes"] == plan["training_minutes"] + plan["encoding_minutes"]
    assert not (tmp_path / "out").exists()


def test_a_folder_that_no_training_has_made_is_never_replaced(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="name another folder"):
        training(root, str(tmp_path / "mine"))


def test_without_questions_the_error_names_where_they_come_from(tmp_path: Path) -> None:
    settings = Settings(store={"path": tmp_path / "index"})  # type: ignore[arg-type]  # pydantic validates
    with pytest.raises(InputError, match="--feedback FILE, or --synthetic N"):
        Training(settings, "c.yaml", None, QUICK, Options(tmp_path / "out"), silent)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"embedder": {"kind": "openai"}}, "no model of this machine"),
        ({"reranker": {"kind": "cohere"}}, "'cohere' is not a model that can be trained"),
        ({"retriever": {"kind": "knowledgesdk"}}, "keeps its passages to itself"),
    ],
)
def test_what_cannot_be_trained_is_told_with_what_can(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        trainee_of(Settings(**section))


# --- the loop -------------------------------------------------------------------------------------


def test_training_that_was_killed_ends_as_if_it_had_not_been(model: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    expected = training_killed.loop(model, whole)
    course = expected.run(training_killed.STEPS, None, silent)
    program = [sys.executable, str(SUPPORT / "training_killed.py"), str(model), str(killed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr

    seen: list[int] = []
    resumed = training_killed.loop(model, killed)
    after = resumed.run(training_killed.STEPS, None, lambda stage, at, total: seen.append(at))
    # The last checkpoint was at step 4, or at the look after step 3 where that came later.
    assert seen == list(range(5, training_killed.STEPS + 1))
    assert after.resumed == 4
    assert [step.number for step in after.losses] == list(range(1, training_killed.STEPS + 1))
    for ours, theirs in zip(after.losses, course.losses, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-3)
    assert [look.measured for look in after.looks] == pytest.approx(
        [look.measured for look in course.looks], rel=1e-3
    )


def test_the_same_seed_trains_the_same_weights_and_another_seed_others(model: Path, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> dict[str, Tensor]:
        (tmp_path / name).mkdir()
        made = training_killed.loop(model, tmp_path / name, seed)
        rising = count()
        made.measure = lambda student: float(next(rising))
        made.run(3, None, silent)
        return dict(weights_of(made.student))

    first, second, other = weights("first", 0), weights("second", 0), weights("other", 1)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_checkpoint_of_another_training_is_not_taken_over(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c.pt", "one").write({"step": 1})
    assert Checkpoint(tmp_path / "c.pt", "other").read() is None
    assert Checkpoint(tmp_path / "c.pt", "one").read() == {"step": 1}


class Line:
    """A student of one number, whose loss is what a test says."""

    def __init__(self, loss: Callable[[int], float] = lambda step: 1.0) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        self.temperatures = ()
        self._loss = loss
        self._steps = 0

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self._steps += 1
        (weight,) = self.network.parameters()
        return {"line": weight.sum() * 0 + self._loss(self._steps)}

    def scores(self, question: str, passages: Sequence[str]) -> Any:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def line_loop(student: Line, tmp_path: Path, measured: Sequence[float], recipe: Recipe = tiny.RECIPE) -> Loop:
    values = iter(measured)
    batches = Batches(tiny.lessons(), [], recipe)
    return Loop(student, batches, recipe, lambda _: next(values), Checkpoint(tmp_path / "c.pt", "x"), 100)


def test_a_loss_that_is_not_a_number_stops_loudly(tmp_path: Path) -> None:
    student = Line(lambda step: math.nan if step == 3 else 1.0)
    with pytest.raises(ModelError, match=r"step 3 is not a number .* Lower --rate"):
        line_loop(student, tmp_path, [0.0] * 9).run(9, None, silent)


def test_too_little_memory_is_told_with_what_helps(tmp_path: Path) -> None:
    def full(step: int) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ModelError, match="lower --questions"):
        line_loop(Line(full), tmp_path, [0.0] * 9).run(9, None, silent)


def test_training_stops_where_the_held_out_questions_gain_no_more(tmp_path: Path) -> None:
    recipe = replace(tiny.RECIPE, evaluations=8, patience=2)
    course = line_loop(Line(), tmp_path, [0.1, 0.5, 0.4, 0.3, 0.9], recipe).run(8, None, silent)
    assert course.done == 3
    assert course.best.step == 1
    assert "gained nothing in 2 looks" in course.ended


def test_the_weights_of_the_best_look_are_kept(model: Path, tmp_path: Path) -> None:
    made = training_killed.loop(model, tmp_path)
    start = weights_of(made.student)
    falling = iter([1.0, 0.5, 0.4, 0.3])
    made.measure = lambda student: next(falling)
    made.run(3, None, silent)
    assert all(torch.equal(value, start[name]) for name, value in weights_of(made.student).items())


def test_the_minutes_given_end_training_with_a_last_look(tmp_path: Path) -> None:
    course = line_loop(Line(), tmp_path, [0.1, 0.2]).run(8, 0.0, silent)
    assert course.done == 1
    assert course.looks[-1].step == 1
    assert course.ended == "the minutes given are over"


def test_of_the_means_of_start_and_end_the_best_is_taken() -> None:
    student = Line()
    (weight,) = student.network.parameters()
    weight.data.fill_(0.0)
    start = weights_of(student)
    weight.data.fill_(1.0)
    wished = 0.4
    measured = choose_share(
        student, start, (0.25, 0.5), -0.6, lambda line: -abs(float(weight.detach()) - wished)
    )
    assert measured.keys() == {0.25, 0.5, 1.0}
    assert float(weight.detach()) == pytest.approx(0.5)


# --- losses and batches ---------------------------------------------------------------------------


def test_what_is_trained_is_what_the_reranker_computes() -> None:
    rng = np.random.default_rng(0)
    question = rng.standard_normal((4, 8)).astype(np.float32)
    passages = [rng.standard_normal((n, 8)).astype(np.float32) for n in (3, 1, 6)]
    ours = maxsim([torch.from_numpy(question)], [torch.from_numpy(p) for p in passages])[0]
    np.testing.assert_allclose(ours.numpy(), maxsim_floats(question, passages), rtol=1e-5)


def test_what_may_answer_too_does_not_count_as_wrong() -> None:
    scores = torch.tensor([[1.0, 9.0, 0.0]])
    alone = contrast(scores[:, [0, 2]], [0], [()])
    assert contrast(scores, [0], [(1,)]) == pytest.approx(alone)
    assert contrast(scores, [0], [()]) > alone + 5


def test_every_lesson_comes_once_before_any_comes_again_and_batches_depend_on_nothing_but_their_number() -> (
    None
):
    lessons = tiny.lessons(12)
    batches = Batches(lessons, [], replace(tiny.RECIPE, questions=4))
    assert batches.an_epoch == 3
    for epoch in range(3):
        asked = [q for step in range(3 * epoch, 3 * epoch + 3) for q in batches.batch(step).questions]
        assert sorted(asked) == sorted(lesson.question for lesson in lessons)
    assert batches.batch(5) == Batches(lessons, [], replace(tiny.RECIPE, questions=4)).batch(5)
    assert batches.batch(5) != Batches(lessons, [], replace(tiny.RECIPE, questions=4, seed=1)).batch(5)


def test_another_lessons_passage_of_a_document_that_answers_is_hidden() -> None:
    a = Lesson("a", (Text("x", "one"),), (1.0,), (Text("y", "two"),), frozenset({"x", "z"}))
    b = Lesson("b", (Text("z", "three"),), (1.0,), (), frozenset({"z"}))
    batch = Batches([a, b], [], replace(tiny.RECIPE, questions=2)).batch(0)
    row = batch.questions.index("a")
    assert [batch.passages[i].document for i in batch.hidden[row]] == ["z"]


def test_titles_are_mixed_in_beside_the_questions() -> None:
    pairs = [Lesson(f"title {n}", (Text(f"t{n}", "under it"),), (1.0,)) for n in range(5)]
    batch = Batches(tiny.lessons(), pairs, replace(tiny.RECIPE, questions=4, pairs=2)).batch(0)
    assert len(batch.questions) == 6
    assert sum(question.startswith("title") for question in batch.questions) == 2


def test_lessons_are_kept_as_they_are(tmp_path: Path) -> None:
    lessons = [replace(tiny.lessons()[0], question="naïve \ud800 “quoted”\u2028line")]
    write_lessons(lessons, tmp_path / "lessons.jsonl")
    assert read_lessons(tmp_path / "lessons.jsonl") == lessons


# --- which questions train ------------------------------------------------------------------------


def asked(count: int, documents: int, **more: Any) -> list[LabelledQuestion]:
    return [
        LabelledQuestion.model_validate(
            {"_id": f"q{i}", "text": f"Question {i}?", "relevant": {f"d{i % documents}": 1}, **more}
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("documents", [1, 7, 60, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_held_out_question_trains_and_none_is_lost(documents: int, seed: int) -> None:
    questions = asked(200, documents)
    parts = parted(questions, seed)
    texts = [q.text for q in (*parts.train, *parts.stop, *parts.judge)]
    assert sorted(texts) == sorted(q.text for q in questions)
    assert (len(parts.judge), len(parts.stop)) == (50, 20)
    assert parted(questions, seed) == parts
    assert parted(questions, seed + 1) != parts


def test_questions_of_one_document_are_held_out_together() -> None:
    parts = parted(asked(200, 100), 0)
    of = [{name for q in part for name in q.relevant} for part in (parts.train, parts.stop, parts.judge)]
    assert not of[0] & of[1]
    assert not of[0] & of[2]
    assert not of[1] & of[2]


def test_the_same_question_under_another_name_is_held_out_too() -> None:
    questions = asked(40, 40)
    twins = [
        q.model_copy(update={"id": f"twin {q.id}", "text": q.text.upper() + " ", "relevant": {"x": 1}})
        for q in questions
    ]
    parts = parted([*questions, *twins], 0)
    held = {q.text.strip().lower() for q in (*parts.stop, *parts.judge)}
    assert not held & {q.text.strip().lower() for q in parts.train}


def test_a_title_that_is_a_question_held_out_is_known_as_one() -> None:
    parts = parted(asked(40, 40), 0)
    assert parts.holds_out(f" {parts.judge[0].text.upper()} ")
    assert parts.holds_out(parts.stop[0].text)
    assert not parts.holds_out(parts.train[0].text)


def test_drafted_questions_judge_only_where_nobody_has_asked_any() -> None:
    drafted = [
        q.model_copy(update={"id": f"s{q.id}", "text": f"Draft {q.id}"})
        for q in asked(50, 50, synthetic=True)
    ]
    parts = parted([*asked(40, 40), *drafted], 0)
    assert not any(q.synthetic for q in (*parts.stop, *parts.judge))
    assert sum(q.synthetic for q in parts.train) == 50
    assert all(q.synthetic for q in parted(drafted, 0).judge)


def test_too_few_questions_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"19 questions have a document .* 20 or more.*--synthetic"):
        parted(asked(19, 19), 0)


# --- mining ---------------------------------------------------------------------------------------


@pytest.fixture
def miner(handbook: Rag) -> Miner:
    return Miner(handbook.pipeline, handbook.assembly.index.catalog, Naming(""), Recipe(margin=0.0))


TEXT = "When is the dome closed because of the wind?"


def passages_of(handbook: Rag) -> list[Passage]:
    encoded = handbook.pipeline.encode(TEXT)
    return list(handbook.pipeline.rerank(encoded, handbook.pipeline.retrieve(encoded))[0])


def labelled(grades: dict[str, int]) -> LabelledQuestion:
    return LabelledQuestion.model_validate({"_id": "q", "text": TEXT, "relevant": grades})


def test_what_ranks_high_and_is_not_labelled_is_learned_as_wrong(handbook: Rag, miner: Miner) -> None:
    ranked = passages_of(handbook)
    best = ranked[0].chunk
    (lesson,) = miner.lessons([labelled({best.source: 1})], silent)
    assert lesson.right == (Text(best.source, best.reading),)
    expected = [p.chunk.reading for p in ranked[:30] if p.chunk.source != best.source]
    assert [text.reading for text in lesson.wrong] == expected


def test_what_ranks_above_the_labelled_answer_may_answer_too_and_is_left_out(
    handbook: Rag, miner: Miner
) -> None:
    ranked = passages_of(handbook)
    place = next(
        i for i, p in enumerate(ranked) if p.chunk.source not in {q.chunk.source for q in ranked[:3]}
    )
    above = {passage.chunk.reading for passage in ranked[:place]}
    answers = {ranked[place].chunk.source: 1}
    (lesson,) = miner.lessons([labelled(answers)], silent)
    assert not above & {text.reading for text in lesson.wrong}
    assert lesson.wrong
    # Somebody has said that it does not answer: then it counts, however high it ranks.
    (judged,) = miner.lessons([labelled({**answers, ranked[0].chunk.source: 0})], silent)
    assert judged.wrong[0].reading == ranked[0].chunk.reading


def test_of_many_documents_that_answer_those_are_learned_that_rank_best(handbook: Rag) -> None:
    ranked = list(dict.fromkeys(passage.chunk.source for passage in passages_of(handbook)))
    unranked = next(s for s, _ in handbook.assembly.index.catalog.sources() if s not in ranked)
    grades = dict.fromkeys(sorted([unranked, ranked[0], ranked[4], ranked[9]], reverse=True), 1)
    index = handbook.assembly.index.catalog
    few = Miner(handbook.pipeline, index, Naming(""), Recipe(most_right=2))
    (lesson,) = few.lessons([labelled(grades)], silent)
    assert [text.document for text in lesson.right] == [ranked[0], ranked[4]]
    assert lesson.answering == set(grades)
    (lesson,) = few.lessons([labelled({**grades, unranked: 2})], silent)
    assert [text.document for text in lesson.right] == [unranked, ranked[0]]


def test_a_marked_passage_is_the_one_that_is_learned(handbook: Rag, miner: Miner) -> None:
    source = next(
        s
        for s, _ in handbook.assembly.index.catalog.sources()
        if len(handbook.assembly.index.catalog.chunks_of(s)) > 2
    )
    last = handbook.assembly.index.catalog.chunks_of(source)[-1]
    question = LabelledQuestion.model_validate(
        {
            "_id": "q",
            "text": TEXT,
            "relevant": {source: 1},
            "metadata": {"start": last.start + 5, "end": last.end},
        }
    )
    (lesson,) = miner.lessons([question], silent)
    assert lesson.right == (Text(source, last.reading),)


def test_a_question_whose_answer_is_not_in_the_index_teaches_nothing(miner: Miner) -> None:
    question = LabelledQuestion.model_validate({"_id": "q", "text": TEXT, "relevant": {"nowhere.md": 1}})
    assert list(miner.lessons([question], silent)) == []


# --- what a collection says of itself -------------------------------------------------------------


def chunk(source: str, start: int, text: str, *headings: str) -> Chunk:
    return Chunk(f"{source}{start}", source, source, 0, text, start, start + len(text), headings)


def test_a_heading_is_answered_by_the_first_passage_under_it_without_the_heading() -> None:
    long = "word " * 30
    chunks = [
        chunk("a", 50, long + "two", "The dome", "In high wind"),
        chunk("a", 0, long + "one", "The dome", "In high wind"),
    ]
    (lesson,) = title_lessons(chunks, Naming(""), 10, 0)
    assert lesson.question == "The dome: In high wind"
    assert lesson.right == (Text("a", long + "one"),)


def test_without_headings_the_first_sentence_asks_for_the_rest() -> None:
    text = "The dome is closed whenever the wind is high. " + "The rest is about something else again. " * 4
    (lesson,) = title_lessons([chunk("a", 0, text)], Naming(""), 10, 0)
    assert lesson.question == "The dome is closed whenever the wind is high."
    assert "closed whenever" not in lesson.right[0].reading


# --- what users said ------------------------------------------------------------------------------


def test_feedback_becomes_questions_with_the_cited_passages_marked(tmp_path: Path) -> None:
    def said(question: str, good: bool, *passages: tuple[str, bool], found: bool = True) -> Feedback:
        judged = tuple(JudgedPassage(s, 10, 20, "text", 0.9, cited) for s, cited in passages)
        return Feedback("2026-01-01T00:00:00+00:00", question, good, found, judged)

    path = tmp_path / "feedback.jsonl"
    add_feedback(path, said("When?", True, ("a.md", True), ("b.md", False)))
    add_feedback(path, said("When?", False, ("c.md", True)))
    add_feedback(path, said("Why?", False, ("a.md", False)))
    add_feedback(path, said("Who?", True, ("a.md", False), found=False))
    when, why, who = feedback_questions(path, Naming(""))
    assert when.relevant == {"a.md": 1, "c.md": 0}
    assert spans_of(when) == {"a.md": (10, 20)}
    assert not why.labelled
    assert why.relevant == {"a.md": 0}
    assert who.relevant == {}


# --- other models ---------------------------------------------------------------------------------


def test_a_cross_encoder_learns_and_reranks_from_its_folder(tmp_path: Path, handbook: Rag) -> None:
    student = CrossEncoderStudent(tiny.cross_encoder(tmp_path / "start"), tiny.RECIPE, "cpu")
    losses = taken(student, tmp_path)
    assert losses[-1] < losses[0]
    student.save(tmp_path / "trained")
    reranker = CrossEncoderSettings(
        kind="cross-encoder", model=str(tmp_path / "trained"), precision="fp32"
    ).build(None)  # type: ignore[arg-type]  # it needs no parts
    candidates = handbook.retrieve(TEXT)[:3]
    given = reranker.score(handbook.pipeline.encode(TEXT), candidates).values
    ours, _ = student.scores(TEXT, [candidate.chunk.reading for candidate in candidates])
    np.testing.assert_allclose(given, ours, atol=0.05)


def test_a_multi_vector_model_learns_and_is_read_from_its_folder(tmp_path: Path) -> None:
    student = MultiVectorStudent(tiny.multi_vector(tmp_path / "start"), tiny.RECIPE, "cpu")
    losses = taken(student, tmp_path)
    assert losses[-1] < losses[0]
    student.save(tmp_path / "trained")
    encoder = MultiVectorTokens(str(tmp_path / "trained"), "cpu")
    asked = encoder.embed_question(TEXT).tokens
    assert asked is not None
    passages = ["The dome closes in high wind.", "Lunch is at noon."]
    ours, _ = student.scores(TEXT, passages)
    np.testing.assert_allclose(maxsim_floats(asked, encoder.embed_tokens(passages)), ours, atol=0.02)


def taken(student: Any, tmp_path: Path) -> list[float]:
    batches = Batches(tiny.lessons(), [], tiny.RECIPE)
    loop = Loop(student, batches, tiny.RECIPE, lambda _: 0.0, Checkpoint(tmp_path / "c.pt", "x"))
    course = loop.run(12, None, silent)
    sums = [sum(step.losses.values()) for step in course.losses]
    return [sum(sums[:3]), sum(sums[-3:])]


@pytest.mark.parametrize(
    ("reranker", "kind"),
    [
        ({"kind": "late-interaction"}, "embedder"),
        ({"kind": "none"}, "embedder"),
        ({"kind": "cross-encoder", "model": "here"}, "cross-encoder"),
        ({"kind": "late-interaction", "model": "here"}, "multi-vector"),
    ],
)
def test_a_config_says_by_itself_which_model_is_trained(
    model: Path, reranker: dict[str, Any], kind: str
) -> None:
    named = {key: str(model) if value == "here" else value for key, value in reranker.items()}
    trainee = trainee_of(Settings(reranker=named))  # type: ignore[arg-type]  # pydantic validates
    assert trainee.kind == kind
    assert trainee.encodes == (kind == "embedder")


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
def test_a_reranker_of_its_own_is_trained_judged_and_named_by_the_config(
    kind: str, root: Path, tmp_path: Path
) -> None:
    make = {"cross-encoder": tiny.cross_encoder, "late-interaction": tiny.multi_vector}[kind]
    settings = Settings(reranker={"kind": kind, "model": str(make(tmp_path / "start"))})  # type: ignore[arg-type]  # pydantic validates
    options = Options(tmp_path / "out", force=True, minutes=0.01, indexes=root / "indexes")
    dataset = Dataset.load(root / "shelves", "train")
    made = Training(settings, "config.yaml", dataset, QUICK, options, silent).run(lambda plan: None)
    assert made.judgement.gain.questions == 20
    assert made.plan.encoding_minutes == 0
    lines = yaml.safe_load(made.lines)
    config = {**lines, "store": {"path": str(tmp_path / "index")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    rag = Rag(Settings.load(tmp_path / "config.yaml"))
    rag.ingest(root / "shelves" / "corpus.jsonl")
    reranked = rag.search("Where is the zorbel beside the mivrot?").trace.rerank
    assert reranked is not None
    assert reranked.model == str(tmp_path / "out")
    assert not rag.pipeline.calibration.warning


def test_drafts_alone_train_and_say_that_they_are_synthetic(root: Path, model: Path, tmp_path: Path) -> None:
    settings = Settings(
        embedder={"model": str(model)},  # type: ignore[arg-type]  # pydantic validates
        store={"path": tmp_path / "index"},  # type: ignore[arg-type]
        run={"sources": (str(HANDBOOK),)},  # type: ignore[arg-type]
    )
    options = Options(tmp_path / "out", synthetic=30, force=True, minutes=0.01, indexes=root / "indexes")
    made = Training(settings, "config.yaml", None, QUICK, options, silent).run(lambda plan: None)
    assert made.plan.synthetic == 30
    assert "30 of all questions are synthetic" in (tmp_path / "out" / "README.md").read_text()
