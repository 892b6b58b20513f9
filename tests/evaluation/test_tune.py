"""`rag tune`: chosen by one half of the questions, judged by really running on the other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from rag import InputError, Rag, Settings
from rag.contract import to_json
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import open_for
from rag.evaluation.naming import naming
from rag.evaluation.pages.tuning import tuning_page
from rag.evaluation.scoring import Options
from rag.evaluation.trials import Arm, Known, Trial, front, look_up, rank_known
from rag.evaluation.tune import Tuned, choose, summarise_tuning, tune
from rag.index.fusion import reciprocal_rank_fusion
from rag.protocols import silent
from rag.retrievers.own_index import OwnIndexSettings
from rag.runs.report import render

OPTIONS = Options(answers=False)


def trial(quality: float, ms: float, depth: int = 50) -> Trial:
    return Trial("hybrid", depth, 60, "none", "as configured", quality, ms)


def known(dense: tuple[int, ...], lexical: tuple[int, ...]) -> Known:
    from rag.evaluation.dataset import LabelledQuestion

    asked = LabelledQuestion.model_validate({"_id": "q", "text": "Who?"})
    names = tuple(f"d{i}" for i in range(6))
    return Known(asked, names, dense, lexical, {"r": np.zeros((6, 5))})


@pytest.fixture(scope="module")
def tuned(handbook_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("tune")
    config = folder / "mine.yaml"
    config.write_text(f"store: {{path: '{handbook_settings.store.path}'}}\nselection: {{budget: 900}}\n")
    data = Dataset.load(ROOT / "data" / "questions").sample(56, 0)
    return tune(Settings.load(config), config, [], data, 60_000, folder / "out", OPTIONS, silent)


def test_it_writes_a_config_that_loads_and_ranks_as_was_judged(tuned: Tuned) -> None:
    settings = Settings.load(tuned.path)
    assert settings.selection.budget == 900, "what was not tuned stays"
    assert settings.retriever.kind == tuned.chosen.mode
    assert settings.retriever.top_n == tuned.chosen.depth
    assert settings.reranker.threshold == tuned.cut.threshold
    pipeline = Rag(settings).pipeline
    assert pipeline.calibration.warning == ""
    assert pipeline.search("How do I reset the tracker?").trace.candidates


def test_the_half_that_judges_is_not_the_half_that_chose(tuned: Tuned) -> None:
    train, test = tuned.dataset.split(OPTIONS.seed)
    judged = {one.question.id for one in tuned.baseline.scored}
    assert judged == {question.id for question in test.questions}
    assert not judged & {question.id for question in train.questions}


def test_the_front_rises_in_quality_with_time_and_holds_the_chosen(tuned: Tuned) -> None:
    times, qualities = [t.ms for t in tuned.front], [t.quality for t in tuned.front]
    assert times == sorted(times)
    assert qualities == sorted(qualities)
    assert tuned.chosen in tuned.front
    assert max(qualities) == pytest.approx(max(t.quality for t in tuned.trials))
    assert tuned.chosen.label in tuned.judged


def test_what_was_worked_out_is_what_the_pipeline_ranks(handbook_settings: Settings, tuned: Tuned) -> None:
    """The trial's ranking of a question against the written config's own."""
    data = Dataset.load(ROOT / "data" / "questions").sample(3, 2)
    for path in sorted(tuned.path.parent.parent.glob("front-*/config.yaml")):
        settings = Settings.load(path)
        rag = open_for(settings, data, OPTIONS.indexes, silent)
        pipeline = rag.pipeline
        named = naming((source for source, _ in rag.assembly.index.catalog.sources()), data.judged)
        arm = Arm(settings.reranker.kind, pipeline.reranker, pipeline.calibration)
        first = settings.retriever
        assert isinstance(first, OwnIndexSettings)
        for question in data.questions:
            # One at a time: in bf16 a vector depends, in its last bits, on what was encoded with it.
            (one,) = look_up(pipeline, rag.assembly.index, [arm], Dataset("one", (question,)), named, silent)
            order = rank_known(one, arm, arm.calibration, first.kind, first.top_n, first.rrf_k)
            rows = sorted(pipeline.search(question.text).trace.candidates, key=lambda row: row.rerank_rank)
            assert [named.document(row.source) for row in rows] == [one.documents[i] for i in order]


def test_the_page_and_the_json_say_what_was_chosen_and_why(tuned: Tuned) -> None:
    found = json.loads(json.dumps(to_json(summarise_tuning(tuned)), allow_nan=False))
    assert found["chosen"]["mode"] == tuned.chosen.mode
    assert found["tried"] == len(tuned.trials) > 50
    html = render("evaluation.html.j2", page=tuning_page(tuned))
    assert tuned.chosen.label in html
    assert "chose nothing" in html


def test_the_front_leaves_out_what_another_beats_in_both() -> None:
    fast, good, slow, worse = trial(0.5, 1), trial(0.7, 5), trial(0.7, 9), trial(0.4, 6)
    assert front([slow, worse, good, fast]) == [fast, good]
    assert front([]) == []


def test_fusion_of_a_deeper_search_is_the_fusion_of_a_shallower_one() -> None:
    one = known((3, 1, 0, 5), (2, 1, 4))
    assert one.order("dense", 2, 60) == [3, 1]
    assert one.order("lexical", 10, 60) == [2, 1, 4]
    expected = [int(i) for i, _ in reciprocal_rank_fusion([["3", "1"], ["2", "1"]], 60)][:2]
    assert one.order("hybrid", 2, 60) == expected == [1, 3]


def test_of_what_the_budget_allows_the_best_is_chosen_and_of_equals_the_fastest() -> None:
    best = [trial(0.5, 1), trial(0.7001, 5), trial(0.7004, 9), trial(0.8, 40)]
    assert choose(best, 20) == best[1]
    assert choose(best, 40) == best[3]


def test_a_budget_that_nothing_meets_names_the_fastest() -> None:
    with pytest.raises(InputError, match=r"nothing answers within --budget-ms 2.*the fastest takes 3 ms"):
        choose([trial(0.5, 3), trial(0.7, 5)], 2)


def test_too_few_questions_are_refused_before_anything_is_scored(tmp_path: Path) -> None:
    data = Dataset.load(ROOT / "data" / "questions").sample(20, 0)
    config = tmp_path / "mine.yaml"
    config.write_text("{}")
    with pytest.raises(InputError, match=r"tuning needs 20 labelled questions"):
        tune(Settings.load(config), config, [], data, 100, tmp_path / "out", OPTIONS, silent)


def test_a_search_that_is_somebody_elses_cannot_be_tuned(tmp_path: Path) -> None:
    data = Dataset.load(ROOT / "data" / "questions")
    config = tmp_path / "mine.yaml"
    config.write_text("retriever: {kind: knowledgesdk}")
    with pytest.raises(InputError, match="searches elsewhere"):
        tune(Settings.load(config), config, [], data, 100, tmp_path / "out", OPTIONS, silent)
