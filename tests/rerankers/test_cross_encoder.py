from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from support.builders import RAW, candidate, candidates
from support.cross_encoders import build, made

from rag.errors import InputError, ModelError
from rag.models.folder import BUNDLED_NAME, find_model
from rag.second_stage.guards.checked import Checked
from rag.second_stage.rank import rerank
from rag.types import Candidate, Question

QUESTION = Question("When is the dome closed?")
SIGMOID = {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "6"}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder on disk: MiniLM's body under a head of fixed random numbers."""
    return made(tmp_path_factory.mktemp("cross") / "model", labels=1)


def with_config(model: Path, folder: Path, **changes: object) -> Path:
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def of(texts: list[str]) -> list[Candidate]:
    return [candidate(text, f"{rank}.md", rank=rank) for rank, text in enumerate(texts, start=1)]


def logits(model: Path, question: str, texts: list[str]) -> list[float]:
    """By transformers alone, one pair at a time."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    network = AutoModelForSequenceClassification.from_pretrained(str(model)).eval()
    with torch.inference_mode():
        return [float(network(**tokenizer(question, text, return_tensors="pt")).logits) for text in texts]


both = pytest.mark.parametrize("runtime", ["openvino", "torch"])


# --- scores --------------------------------------------------------------------------------


@both
def test_scores_are_the_models_raw_logits_in_the_order_of_the_candidates(model: Path, runtime: str) -> None:
    texts = [
        "Wind.",
        "The dome is closed at 16 metres a second, or when it rains.",
        "Soup is served at seven.",
    ]
    scores = build(model, runtime=runtime).score(QUESTION, of(texts))
    assert scores.values == pytest.approx(logits(model, QUESTION.text, texts), abs=1e-4)
    assert {type(value) for value in scores.values} == {float}
    assert (scores.truncated, scores.ranks) == (0, True)


def test_a_model_that_ships_a_sigmoid_gives_its_logits_all_the_same(model: Path, tmp_path: Path) -> None:
    """As BGE's do: applied here, the calibration would squash twice."""
    squashing = with_config(model, tmp_path / "squashing", **SIGMOID)
    given = candidates(5)
    assert build(squashing).score(QUESTION, given) == build(model).score(QUESTION, given)


def test_relevance_is_squashed_once(model: Path, tmp_path: Path) -> None:
    squashing = with_config(model, tmp_path / "squashing", **SIGMOID)
    passages, _ = rerank(build(squashing), RAW, QUESTION, candidates(5))
    for passage in passages:
        assert passage.relevance == pytest.approx(1 / (1 + np.exp(-passage.score)), abs=1e-6)


@pytest.mark.parametrize("batch_tokens", [1, 64, 9000])
def test_the_size_of_a_batch_changes_neither_scores_nor_order(model: Path, batch_tokens: int) -> None:
    given = [candidate("word " * n, f"{n}.md", rank=n) for n in (3, 40, 1, 17, 9)]
    expected = [build(model).score(QUESTION, [each]).values[0] for each in given]
    assert build(model, batch_tokens=batch_tokens).score(QUESTION, given).values == pytest.approx(
        expected, abs=1e-4
    )


def test_fields_are_what_it_reads(model: Path) -> None:
    given = [candidate("The dome is closed.", "roof.md")]
    scores = build(model, fields=["source", "text"]).score(QUESTION, given)
    expected = logits(model, QUESTION.text, ["source: roof.md\nThe dome is closed."])
    assert scores.values == pytest.approx(expected, abs=1e-4)


@both
def test_sixteen_threads_get_the_scores_that_one_gets(model: Path, runtime: str) -> None:
    """Fast tokenizers raise `Already borrowed` when threads share them."""
    reranker, given = build(model, runtime=runtime), candidates(4)
    alone = reranker.score(QUESTION, given).values
    with ThreadPoolExecutor(16) as threads:
        together = list(threads.map(lambda _: reranker.score(QUESTION, given).values, range(32)))
    assert all(values == pytest.approx(alone, abs=1e-5) for values in together)


def test_a_model_is_loaded_once_however_many_rerankers_use_it(model: Path) -> None:
    assert build(model)._model is build(model, batch_tokens=3)._model


# --- the window ----------------------------------------------------------------------------


@both
def test_the_passage_is_cut_to_the_window_and_counted(model: Path, runtime: str) -> None:
    long, short = "wind " * 600, "wind"
    scores = build(model, runtime=runtime, max_length=64).score(QUESTION, of([long, short, long]))
    assert scores.truncated == 2
    asked = 6 + 3  # the question's tokens, and the markers
    assert scores.values[0] == pytest.approx(
        logits(model, QUESTION.text, ["wind " * (64 - asked)])[0], abs=1e-4
    )


@both
def test_the_question_is_never_cut(model: Path, runtime: str) -> None:
    """Though it is the longer of the two, which the library would cut."""
    text = "which " * 60 + "dome?"
    scored = build(model, runtime=runtime, max_length=100).score(Question(text), [candidate("wind " * 90)])
    assert scored.truncated == 1
    assert scored.values == pytest.approx(logits(model, text, ["wind " * (100 - 62 - 3)]), abs=1e-4)


def test_the_last_words_of_a_long_question_change_the_score(model: Path) -> None:
    one, other = (Question("which " * 60 + last) for last in ("dome", "soup"))
    reranker, given = build(model, max_length=100), [candidate("wind " * 90)]
    assert reranker.score(one, given).values != reranker.score(other, given).values


def test_a_question_that_leaves_no_room_for_a_passage_is_refused(model: Path) -> None:
    with pytest.raises(InputError, match=r"the question has 500 tokens.*ask in at most 477"):
        build(model).score(Question("which " * 500), candidates(1))


def test_a_question_as_long_as_the_refusal_allows_is_read(model: Path) -> None:
    assert build(model).score(Question("which " * 477), candidates(1)).values


def test_a_max_length_beyond_the_models_own_does_not_stretch_it(model: Path) -> None:
    scores = build(model, max_length=9000).score(QUESTION, [candidate("wind " * 600)])
    assert scores.truncated == 1


def test_a_cut_passage_is_noted_in_the_trace(model: Path) -> None:
    _, trace = rerank(build(model, max_length=64), RAW, QUESTION, [candidate("wind " * 100)])
    assert trace.truncated == 1


# --- models that cannot serve --------------------------------------------------------------


def test_a_model_with_two_labels_is_refused_when_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has 2 labels; a reranker has one"):
        build(made(tmp_path / "classifier", labels=2))


def test_a_bi_encoder_named_as_cross_encoder_is_refused() -> None:
    """The library would put a head of random numbers on it."""
    with pytest.raises(ModelError, match="no cross-encoder"):
        build(find_model(BUNDLED_NAME, None))


@pytest.mark.parametrize("name", ["no/such-model", "/nowhere/at/all", "not a name"])
def test_a_model_that_is_not_there_is_a_clear_error(name: str) -> None:
    with pytest.raises(ModelError, match=f"reranker.model '{name}' cannot be used: .*neither a folder"):
        build(name)


def test_a_folder_that_holds_no_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"reranker\.model .* cannot be used: .*has no config\.json"):
        build(tmp_path)


def test_a_logit_that_is_no_number_is_an_error_that_names_the_pair(model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = with_config(model, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["classifier.bias"] = torch.tensor([float("nan")])
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"nan.*When is the dome closed\?.*0\.md"):
        rerank(Checked(build(broken)), RAW, QUESTION, candidates(1))
