"""A model's folder that is damaged, or made to do harm, is a ModelError that names the file and a remedy."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from support.hostile_models import DAMAGE, make_sound

from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.errors import ModelError, RagError
from rag.models.card import read_card
from rag.parts import Parts
from rag.rerankers.cross_encoder import CrossEncoderSettings


@pytest.fixture(scope="module")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def folder(_sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_sound, tmp_path / "model"))


def embed(folder: Path, trusted: bool = False) -> None:
    SentenceTransformersSettings(model=str(folder), trusted=trusted).build().embed_question("Is it well?")


def score(folder: Path) -> None:
    parts = Parts(None, None)  # type: ignore[arg-type]  # it looks at none
    CrossEncoderSettings(kind="cross-encoder", model=str(folder)).build(parts)


@pytest.fixture(autouse=True)
def _cheaply() -> Iterator[None]:
    """No memory to speak of, and no waiting."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


def test_a_sound_one_embeds_and_scores(folder: Path) -> None:
    embed(folder)
    score(folder)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_by_its_file(folder: Path, damage: str) -> None:
    file, spoil = DAMAGE[damage]
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        embed(folder)
    assert str(folder / file) in str(caught.value) or not file
    assert str(folder) in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("damage", ["half a file of weights", "a million layers", "layers without weights"])
def test_a_cross_encoder_is_looked_at_alike(folder: Path, damage: str) -> None:
    DAMAGE[damage][1](folder)
    with pytest.raises(RagError, match=r"reranker\.model"):
        score(folder)


def test_pickled_weights_are_refused_with_a_word_on_why(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(ModelError, match=r"\.bin holds pickled weights, which run .* `trusted: true`"):
        embed(folder)


def test_so_are_those_of_a_step_beside_weights_that_are_not(folder: Path) -> None:
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model\.bin holds pickled weights"):
        embed(folder)


def test_what_is_never_read_may_be_pickled(folder: Path) -> None:
    (folder / "training_args.bin").write_bytes(b"\x80\x04.")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")  # beside weights that are read instead
    embed(folder)


def test_a_module_of_its_own_is_refused(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "harm.Module"}]')
    (folder / "harm.py").write_text("raise SystemExit('harm done')")
    with pytest.raises(ModelError, match="code that is not the library's"):
        embed(folder)


@pytest.mark.slow
def test_pickled_weights_are_read_where_they_are_trusted(folder: Path) -> None:
    import torch

    weights = load_file(folder / "model.safetensors")
    torch.save(
        {name: torch.from_numpy(value) for name, value in weights.items()}, folder / "pytorch_model.bin"
    )
    (folder / "model.safetensors").unlink()
    embed(folder, trusted=True)


def test_a_card_that_multiplies_itself_is_told_of(folder: Path) -> None:
    aliases = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 9))
    (folder / "README.md").write_text(f"---\nx0: &x0 [1, 1]\n{aliases}---\n")
    with pytest.raises(ModelError, match=r"README\.md"):
        read_card(folder)
