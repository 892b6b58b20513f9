"""`rag compare`: the same questions, paired; an arm that did not run whole is refused, not scored zero."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.arms import arm, evaluation, failed, line, with_relevant_at
from support.places import ROOT

from rag import ConfigError, InputError, Settings
from rag.contract import to_json
from rag.evaluation.compare import compare, contrast, summarise_comparison
from rag.evaluation.dataset import Dataset
from rag.evaluation.scoring import Evaluation, Options
from rag.protocols import silent
from rag.runs.line import AnswerLine

OUT = Path("out")
MIXED = [1, 2, 3, 5, 8] * 12


def config(folder: Path, name: str, text: str, settings: Settings) -> Path:
    path = folder / name
    path.write_text(f"store: {{path: '{settings.store.path}'}}\n{text}\n")
    return path


def test_a_against_itself_changes_nothing() -> None:
    found = contrast([arm("a.yaml", MIXED), arm("a.yaml (2)", MIXED)], OUT)
    (pair,) = found.pairs
    assert all(d.p == 1.0 and d.mean == 0.0 for d in pair.differences.values())
    assert pair.moved == []
    assert found.verdict.word == "keep"


def test_a_sure_gain_is_adopted_and_named() -> None:
    found = contrast([arm("a.yaml", MIXED), arm("b.yaml", [1] * 60)], OUT)
    assert found.verdict.word == "adopt"
    assert "b.yaml" in found.verdict.text
    ndcg = found.pairs[0].differences["ndcg@10"]
    assert (ndcg.wins, ndcg.ties, ndcg.losses) == (48, 12, 0)


def test_the_questions_that_moved_most_come_first() -> None:
    found = contrast([arm("a.yaml", [1, 1, 8, 3]), arm("b.yaml", [1, 2, 1, 9])], OUT)
    assert [move.id for move in found.pairs[0].moved] == ["q002", "q001", "q003"]
    assert [move.gain > 0 for move in found.pairs[0].moved] == [True, False, False]


def test_several_arms_are_corrected_together() -> None:
    rng = np.random.default_rng(3)
    arms = [arm("a.yaml", MIXED), *(arm(f"{n}.yaml", rng.permutation(MIXED).tolist()) for n in "bcd")]
    found = contrast(arms, OUT)
    for metric in ("ndcg@10", "mrr"):
        plain = sorted((p.differences[metric].p, p.corrected[metric]) for p in found.pairs)
        assert plain[0][1] == pytest.approx(min(1.0, 3 * plain[0][0]))
        assert all(corrected >= p for p, corrected in plain)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (failed("q001"), r"1 × TransientError: Cohere did not answer in time"),
        (line("q001", status="degraded"), "1 × degraded: the service did not answer"),
        (line("q001", status="late"), "1 × late"),
    ],
)
def test_an_arm_with_a_mishap_is_refused_and_the_others_compared(broken: AnswerLine, said: str) -> None:
    whole = [line(f"q{i:03}", after=with_relevant_at(1)) for i in range(3)]
    arms: list[Evaluation] = [
        evaluation(whole, "a.yaml"),
        evaluation([whole[0], broken, whole[2]], "b.yaml"),
        evaluation(whole, "c.yaml"),
    ]
    found = contrast(arms, OUT)
    assert [one.config for one in found.arms] == ["a.yaml", "c.yaml"]
    assert [(one.config, said in one.reason) for one in found.refused] == [("b.yaml", True)]
    assert [pair.config for pair in found.pairs] == ["c.yaml"]
    with pytest.raises(InputError, match=r"b\.yaml did not answer every question by itself"):
        contrast(arms[1:], OUT)


def test_where_only_the_first_ran_whole_it_is_kept() -> None:
    found = contrast([arm("a.yaml", [1]), evaluation([failed("q000")], "b.yaml")], OUT)
    assert found.verdict.word == "keep"
    assert "no other config ran whole" in found.verdict.text


def test_few_questions_say_how_many_would_tell() -> None:
    found = contrast([arm("a.yaml", [1, 2, 3, 4]), arm("b.yaml", [2, 1, 3, 3])], OUT)
    assert found.verdict.word == "not enough questions"
    assert found.verdict.needed is not None
    assert found.verdict.needed > 4


def test_two_real_configs_share_an_index_and_give_the_same_twice(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    first = config(tmp_path, "a.yaml", "reranker: {kind: none}", handbook_settings)
    second = config(tmp_path, "b.yaml", "", handbook_settings)
    data = Dataset.load(ROOT / "data" / "questions").sample(12, 0)
    options = Options(answers=False)
    found = to_json(
        summarise_comparison(compare([first, second, first], data, tmp_path / "out", options, silent))
    )
    assert [one["config"] for one in found["arms"]] == [str(first), str(second), f"{first} (2)"]
    same = found["comparisons"][1]
    assert all(gain["p"] == 1.0 for gain in same["metrics"].values())
    again = to_json(
        summarise_comparison(compare([first, second, first], data, tmp_path / "again", options, silent))
    )
    assert again["comparisons"] == found["comparisons"]
    json.dumps(found, allow_nan=False)


def test_a_misspelt_key_in_the_last_config_shows_before_any_question(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    first = config(tmp_path, "a.yaml", "", handbook_settings)
    second = config(tmp_path, "b.yaml", "reranker: {kin: none}", handbook_settings)
    data = Dataset.load(ROOT / "data" / "questions").sample(3, 0)
    with pytest.raises(ConfigError, match="kin"):
        compare([first, second], data, tmp_path / "out", Options(), silent)
    assert not (tmp_path / "out").exists()
