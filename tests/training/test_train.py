"""`rag train`: what is learned from what, by which steps, and when it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tiny
from support.places import HANDBOOK
from typer.testing import CliRunner

from rag import InputError, Rag, Settings
from rag.cli.app import app
from rag.contract import to_json
from rag.errors import StoreError
from rag.evaluation.dataset import Dataset
from rag.models.card import read_card
from rag.protocols import silent
from rag.training.options import Options
from rag.training.recipe import Recipe
from rag.training.train import Training
from rag.training.trained import Trained, summarise_training

QUICK = Recipe(rate=1e-4, epochs=2, questions=8, wrong=2, pairs=0, evaluations=1, shares=(0.5,))


def training(collection: Path, out: str, recipe: Recipe = QUICK, **options: Any) -> Training:
    given = Options(collection / out, indexes=collection / "indexes", **options)
    dataset = Dataset.load(collection / "shelves", "train")
    return Training(Settings(), "config.yaml", dataset, recipe, given, silent)


@pytest.fixture(scope="module")
def trained(collection: Path) -> Trained:
    with chdir(collection):  # equals are ranked by ids, so by names, which a folder of this run would change
        return training(collection, "models/shelves").run(lambda plan: None)


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
    collection: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(collection)
    path = tmp_path / "config.yaml"
    lines = yaml.safe_load(trained.lines)
    path.write_text(yaml.safe_dump({"store": {"path": str(tmp_path / "index")}}))
    Rag(Settings.load(path)).ingest(collection / "shelves" / "corpus.jsonl")
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
    collection: Path, trained: Trained, tmp_path: Path
) -> None:
    calibration = {"calibration": trained.out / "calibration.yaml"}
    settings = Settings(store={"path": tmp_path / "index"}, reranker=calibration)  # type: ignore[arg-type]  # pydantic validates
    rag = Rag(settings)
    rag.ingest(collection / "shelves" / "corpus.jsonl")
    assert "run `rag calibrate` again" in rag.pipeline.calibration.warning


@pytest.fixture
def rag_train(collection: Path, untaught: Path, tmp_path: Path) -> Callable[..., Any]:
    """Of a model that knows nothing, which takes next to no time."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"embedder": {"model": str(untaught)}}))
    fixed = [str(config), str(collection / "shelves"), "--out", str(tmp_path / "out")]
    fixed += ["--indexes", str(collection / "tiny-indexes"), "--questions", "8"]
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


def test_a_folder_that_no_training_has_made_is_never_replaced(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="name another folder"):
        training(collection, str(tmp_path / "mine"))


def test_without_questions_the_error_names_where_they_come_from(tmp_path: Path) -> None:
    settings = Settings(store={"path": tmp_path / "index"})  # type: ignore[arg-type]  # pydantic validates
    with pytest.raises(InputError, match="--feedback FILE, or --synthetic N"):
        Training(settings, "c.yaml", None, QUICK, Options(tmp_path / "out"), silent)


@pytest.mark.slow  # two whole trainings
@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
def test_a_reranker_of_its_own_is_trained_judged_and_named_by_the_config(
    kind: str, collection: Path, tmp_path: Path
) -> None:
    make = {"cross-encoder": tiny.cross_encoder, "late-interaction": tiny.multi_vector}[kind]
    settings = Settings(reranker={"kind": kind, "model": str(make(tmp_path / "start"))})  # type: ignore[arg-type]  # pydantic validates
    options = Options(tmp_path / "out", force=True, minutes=0.01, indexes=collection / "indexes")
    dataset = Dataset.load(collection / "shelves", "train")
    made = Training(settings, "config.yaml", dataset, QUICK, options, silent).run(lambda plan: None)
    assert made.judgement.gain.questions == 20
    assert made.plan.encoding_minutes == 0
    lines = yaml.safe_load(made.lines)
    config = {**lines, "store": {"path": str(tmp_path / "index")}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    rag = Rag(Settings.load(tmp_path / "config.yaml"))
    rag.ingest(collection / "shelves" / "corpus.jsonl")
    reranked = rag.search("Where is the zorbel beside the mivrot?").trace.rerank
    assert reranked is not None
    assert reranked.model == str(tmp_path / "out")
    assert not rag.pipeline.calibration.warning


def test_drafts_alone_train_and_say_that_they_are_synthetic(
    collection: Path, untaught: Path, tmp_path: Path
) -> None:
    settings = Settings(
        embedder={"model": str(untaught)},  # type: ignore[arg-type]  # pydantic validates
        store={"path": tmp_path / "index"},  # type: ignore[arg-type]
        run={"sources": (str(HANDBOOK),)},  # type: ignore[arg-type]
    )
    options = Options(
        tmp_path / "out", synthetic=30, force=True, minutes=0.01, indexes=collection / "indexes"
    )
    made = Training(settings, "config.yaml", None, QUICK, options, silent).run(lambda plan: None)
    assert made.plan.synthetic == 30
    assert "30 of all questions are synthetic" in (tmp_path / "out" / "README.md").read_text()
