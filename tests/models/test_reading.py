from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.readers import write_reader

from rag.answers.reader import BundledReaderSettings
from rag.errors import InputError, ModelError
from rag.models.choice import Choice
from rag.models.reading import ReadingModel
from rag.types import Reading

QUESTION = "When do I close the dome?"
TEXTS = [
    "Close the dome when the wind is above 16 m/s; `wind_limit` holds the figure.",
    "Die Kuppel – größer als sie aussieht – bleibt zu.",
    "Soup is at seven.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reader(tmp_path_factory.mktemp("reader"))


def read(folder: Path, runtime: str, texts: list[str] = TEXTS) -> list[Reading]:
    choice = Choice("openvino" if runtime == "openvino" else "torch", "fp32")
    return ReadingModel(folder, choice).read(QUESTION, texts, 1024)


def test_both_heads_read_as_torch_reads(folder: Path) -> None:
    for fast, slow in zip(read(folder, "openvino"), read(folder, "torch"), strict=True):
        assert fast.logit == pytest.approx(slow.logit, abs=2e-3)
        assert np.abs(fast.marks - slow.marks).max() < 2e-3
    assert len({round(reading.logit, 3) for reading in read(folder, "torch")}) == len(TEXTS)


def test_each_mark_belongs_to_characters_of_the_text(folder: Path) -> None:
    for text, reading in zip(TEXTS, read(folder, "openvino"), strict=True):
        assert len(reading.starts) == len(reading.ends) == len(reading.marks)
        assert ((reading.marks >= 0) & (reading.marks <= 1)).all()
        words = [text[a:b] for a, b in zip(reading.starts, reading.ends, strict=True)]
        assert "".join(words) == "".join(text.split())


def test_a_text_is_read_the_same_alone_and_among_others(folder: Path) -> None:
    (alone,), among = read(folder, "openvino", TEXTS[1:2]), read(folder, "openvino")[1]
    assert alone.logit == pytest.approx(among.logit, abs=2e-3)
    assert np.abs(alone.marks - among.marks).max() < 2e-3


def test_a_long_text_is_read_up_to_the_window(folder: Path) -> None:
    (reading,) = read(folder, "openvino", ["wind " * 600])
    assert 200 < len(reading.marks) < 256


def test_only_what_was_learned_is_kept(folder: Path) -> None:
    from safetensors import safe_open

    with safe_open(str(folder / "model.safetensors"), "numpy") as weights:
        names = set(weights.keys())
    assert {"answers.weight", "marks.weight"} < names
    assert not any(name.startswith(("embeddings.", "encoder.layer.0.")) for name in names)


def test_a_question_as_long_as_the_window_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="the question has"):
        BundledReaderSettings(kind="bundled", model=folder).build().read("dome " * 600, TEXTS)


@pytest.mark.parametrize("damaged", ["weights", "record", "body"])
def test_a_damaged_reader_is_named_before_it_reads(folder: Path, tmp_path: Path, damaged: str) -> None:
    shutil.copytree(folder, copy := tmp_path / "copy")
    record = json.loads((copy / "reader.json").read_text())
    if damaged == "weights":
        (copy / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-4] + b"oops")
    elif damaged == "record":
        (copy / "reader.json").write_text("{")
    else:
        (copy / "reader.json").write_text(json.dumps({**record, "body": "another"}))
    with pytest.raises(ModelError, match=r"reader\.model .*copy.* cannot be used"):
        BundledReaderSettings(kind="bundled", model=copy).build().load()


def test_a_folder_without_a_reader_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no reader\.json"):
        BundledReaderSettings(kind="bundled", model=tmp_path).build()
