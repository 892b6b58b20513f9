"""`rag train --reader`: a reader of the user's own documents, refused where it is not better."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.collection import write_collection
from support.docs import tables
from support.places import ROOT
from support.readers import write_reader
from typer.testing import CliRunner

from rag import InputError, Settings
from rag.answers.reader import BundledReaderSettings
from rag.cli.app import app
from rag.evaluation.dataset import Dataset
from rag.models.card import read_card
from rag.protocols import silent
from rag.training.options import Options
from rag.training.reader import ReaderTraining, TrainedReader


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reader-training")
    write_collection(root / "shelves", questions=40)
    write_reader(root / "start")
    return root


def training(root: Path, out: str, **options: Any) -> ReaderTraining:
    settings = Settings(reader={"kind": "bundled", "model": root / "start"})  # type: ignore[arg-type]  # pydantic validates
    given = Options(root / out, indexes=root / "indexes", **options)
    return ReaderTraining(settings, Dataset.load(root / "shelves", "train"), 0, given, silent)


@pytest.fixture(scope="module")
def trained(root: Path) -> TrainedReader:
    return training(root, "trained", minutes=0.1, force=True).run(lambda line: None)


def test_the_trained_reader_is_what_a_config_names(trained: TrainedReader) -> None:
    assert trained.installed
    assert trained.gain.questions > 5
    assert trained.config_lines == f"reader: {{kind: bundled, model: {trained.out}}}"
    (reading,) = BundledReaderSettings(kind="bundled", model=Path(trained.out)).build().read("a?", ["b c"])
    assert len(reading.marks) == 2


def test_its_card_and_its_record_tell_what_it_learned_from(root: Path, trained: TrainedReader) -> None:
    card = read_card(Path(trained.out))
    assert f"{trained.questions} questions of shelves" in card.trained_on
    assert card.figures["told apart, before"] == trained.before
    assert json.loads((Path(trained.out) / "reader.json").read_text())["start"] == str(root / "start")


def test_one_that_is_not_better_is_refused(root: Path) -> None:
    """It had no time to learn."""
    refused = training(root, "refused", minutes=1e-6).run(lambda line: None)
    assert not refused.installed
    assert refused.gain.mean == pytest.approx(0.0, abs=0.05)
    assert not (root / "refused").exists()


def test_a_folder_that_is_not_ours_is_never_replaced(root: Path) -> None:
    (root / "mine").mkdir()
    with pytest.raises(InputError, match="name another folder"):
        training(root, "mine")


def test_the_command_prints_what_came_of_it(root: Path) -> None:
    config = root / "config.yaml"
    config.write_text(f"reader: {{kind: bundled, model: {root / 'start'}}}\n")
    said = ["train", str(config), str(root / "shelves"), "--reader", "--minutes", "0.01", "--json", "--force"]
    result = CliRunner().invoke(app, [*said, "--out", str(root / "said"), "--indexes", str(root / "indexes")])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed.keys() == {field.name for field in fields(TrainedReader)}
    assert printed.keys() == tables(ROOT / "docs" / "json.md")["train --reader"]
