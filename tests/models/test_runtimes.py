"""Every runtime gives what the model's own library gives; callers share batches and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event

import numpy as np
import pytest
import torch
from support.places import HANDBOOK

from rag import Settings
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder, SentenceTransformersSettings
from rag.errors import ConfigError, ModelError
from rag.models import bi_encoder
from rag.models.bi_encoder import load_bi_encoder
from rag.models.choice import Runtime, choose
from rag.models.cross_encoder import load_cross_encoder
from rag.models.folder import BUNDLED_NAME, find_model
from rag.models.once import once
from rag.models.queue import Outputs, SharedQueue
from rag.models.tokens import Batch, Tokens
from rag.types import Floats

PASSAGES = [
    paragraph
    for file in sorted(HANDBOOK.rglob("*.md"))
    for paragraph in file.read_text("utf-8").split("\n\n")
    if len(paragraph) > 80
][:120]
BUNDLED = find_model(BUNDLED_NAME, None)


def build(**settings: object) -> SentenceTransformersEmbedder:
    return SentenceTransformersSettings.model_validate(settings).build()


def vectors(**settings: object) -> Floats:
    return np.stack([encoded.vector for encoded in build(**settings).embed_passages(PASSAGES)])


def changed(folder: Path, file: str, **values: object) -> Path:
    """The bundled model with other words in one of its files."""
    shutil.copytree(BUNDLED, folder)
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(said | values))
    return folder


@pytest.fixture(scope="module")
def exact() -> Floats:
    return vectors(runtime="torch", precision="fp32")


# --- the same numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_in_full_precision_every_runtime_gives_what_torch_gives(runtime: str, exact: Floats) -> None:
    assert vectors(runtime=runtime, precision="fp32") == pytest.approx(exact, abs=1e-5)


def test_token_bits_of_both_runtimes_agree_but_for_signs_of_nearly_nothing() -> None:
    one, other = (
        build(runtime=runtime, precision="fp32").embed_passages(PASSAGES) for runtime in ("openvino", "torch")
    )
    differing = [np.unpackbits(a.tokens ^ b.tokens).mean() for a, b in zip(one, other, strict=True)]  # type: ignore[operator]
    assert np.mean(differing) < 1e-4


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_in_bf16_passages_point_where_they_did_and_rank_as_they_did(runtime: str, exact: Floats) -> None:
    found = vectors(runtime=runtime, precision="bf16")
    assert (found * exact).sum(axis=1).min() >= 0.999
    assert _same_top_ten(found, exact) >= 0.97


@pytest.mark.slow  # NNCF measures a model
def test_in_int8_passages_rank_nearly_as_they_did(exact: Floats) -> None:
    found = vectors(precision="int8")
    assert (found * exact).sum(axis=1).mean() >= 0.99
    assert _same_top_ten(found, exact) >= 0.85
    assert build(precision="int8").card != build().card


@pytest.mark.slow  # NNCF measures a model
def test_a_cross_encoder_in_int8_ranks_nearly_as_it_did(tmp_path: Path) -> None:
    folder = _untrained(tmp_path / "bert", "bert")
    scores = [
        load_cross_encoder(folder, "openvino", precision, None).score(
            "When is it closed?", PASSAGES[:40], None, 1024
        )[0]
        for precision in ("fp32", "int8")
    ]
    ranks = [np.argsort(np.argsort(values)) for values in scores]
    assert np.corrcoef(ranks[0], ranks[1])[0, 1] >= 0.7  # of random weights, which no range fits well
    assert scores[0] != scores[1]


def _same_top_ten(found: Floats, exact: Floats) -> float:
    """Each passage as a question: what share of its ten nearest is the same."""
    mine, theirs = (np.argsort(-(v @ v.T), axis=1)[:, :10] for v in (found, exact))
    return float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(mine, theirs, strict=True)]))


def _untrained(folder: Path, kind: str) -> Path:
    """A small network of random numbers of another family, with the bundled tokenizer."""
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForSequenceClassification,
        RobertaConfig,
        RobertaForSequenceClassification,
        XLMRobertaConfig,
        XLMRobertaForSequenceClassification,
    )

    torch.manual_seed(3)
    makers = {
        "bert": (BertConfig, BertForSequenceClassification),
        "roberta": (RobertaConfig, RobertaForSequenceClassification),
        "xlm-roberta": (XLMRobertaConfig, XLMRobertaForSequenceClassification),
    }
    configuration, network = makers[kind]
    config = configuration(
        vocab_size=30522,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=300,
        initializer_range=0.5,
        pad_token_id=0 if kind == "bert" else 1,
    )
    config.num_labels = 1
    network(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(BUNDLED)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_each_family_of_cross_encoders_scores_as_in_its_library(
    kind: str, runtime: Runtime, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = _untrained(tmp_path / kind, kind)
    question = "When is the dome closed?"
    network = AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    expected = []
    with torch.inference_mode():
        for text in PASSAGES[:12]:
            pair = tokenizer(question, text, return_tensors="pt", truncation="only_second", max_length=256)
            if kind != "bert":
                del pair["token_type_ids"]
            expected.append(float(network(**pair).logits))
    pairs = load_cross_encoder(folder, runtime, "fp32", None)
    found, _ = pairs.score(question, PASSAGES[:12], 256, 512)
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.std(expected) > 0.01


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("form", ["new", "old"])
def test_the_pooling_is_the_models_own(pooling: str, form: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    old = {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}
    said = {"pooling_mode": pooling} if form == "new" else old
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 384, **said}))
    by_runtime = [
        build(model=str(folder), runtime=runtime, precision="fp32").embed_question("dome").vector
        for runtime in ("openvino", "torch")
    ]
    assert by_runtime[0] == pytest.approx(by_runtime[1], abs=1e-5)


# --- kept on disk ---------------------------------------------------------------------------------


@pytest.mark.slow  # ten processes
def test_ten_processes_at_once_compile_a_model_once_and_agree(tmp_path: Path) -> None:
    program = (
        "from rag.embedders.sentence_transformers import SentenceTransformersSettings as S\n"
        "print(round(float(S().build().embed_question('dome').vector[0]), 3))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    running = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
        for _ in range(10)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 10
    assert len({*said}) == 1
    (blob,) = (tmp_path / "rag").glob("*.blob")
    assert {path.suffix for path in (tmp_path / "rag").iterdir()} <= {".blob", ".lock"}
    assert blob.stat().st_size > 1_000_000


@pytest.mark.parametrize("content", [b"", b"half a", "cut"])
def test_a_damaged_file_is_made_anew(
    content: bytes | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = [Tokens([101, 10017, 102], [0, 0, 0])]
    ((vector, _),) = bi_encoder._load(BUNDLED, "openvino", "fp32", "cpu").encode(text, 64)
    (blob,) = (tmp_path / "rag").glob("*.blob")
    blob.write_bytes(blob.read_bytes()[: 1 << 20] if isinstance(content, str) else content)
    for _ in range(2):
        ((again, _),) = bi_encoder._load(BUNDLED, "openvino", "fp32", "cpu").encode(text, 64)
        assert again == pytest.approx(vector)


def test_where_nothing_can_be_kept_it_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rag").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loaded = bi_encoder._load(BUNDLED, "openvino", "fp32", "cpu")
    assert len(loaded.encode([Tokens([101, 102], [0, 0])], 64)) == 1


def test_the_models_own_onnx_file_is_read_where_there_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"the ONNX form of the model in .* cannot be used"):
        build(model=str(folder), runtime="onnx").embed_question("dome")


# --- which runtime ------------------------------------------------------------------------------------


def test_auto_takes_openvino_for_what_it_reads_and_torch_for_all_else(tmp_path: Path) -> None:
    assert choose("auto", "auto", "cpu", BUNDLED).runtime == "openvino"
    assert choose("auto", "auto", "cuda", BUNDLED).runtime == "torch"
    other = changed(tmp_path / "other", "config.json", model_type="mpnet")
    assert choose("auto", "auto", "cpu", other).runtime == "torch"


@pytest.mark.parametrize(
    ("file", "values", "reason"),
    [
        ("config.json", {"model_type": "mpnet"}, "model_type is 'mpnet'"),
        ("config.json", {"hidden_act": "silu"}, "hidden_act is 'silu'"),
        ("config.json", {"position_embedding_type": "relative_key"}, "positions"),
        ("sentence_bert_config.json", {"do_lower_case": True}, "case"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling"),
    ],
)
def test_a_runtime_that_cannot_read_the_model_says_why(
    file: str, values: dict[str, object], reason: str, tmp_path: Path
) -> None:
    folder = changed(tmp_path / "model", file, **values)
    with pytest.raises(
        ConfigError,
        match=rf"runtime openvino .*cannot be had.*{reason}.*Choose runtime: auto",
    ):
        load_bi_encoder(folder, "openvino", "auto", "cpu")


def test_int8_on_torch_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"runtime torch .*cannot be had.*int8 needs openvino"):
        build(runtime="torch", precision="int8").embed_question("dome")


# --- many callers ----------------------------------------------------------------------------------


def test_what_several_ask_for_at_a_time_is_loaded_once() -> None:
    asking, loading, loads = Barrier(4), Barrier(2), []

    def load(name: str) -> object:
        loads.append(name)
        with suppress(BrokenBarrierError):
            loading.wait(0.1)  # in vain: nobody else is in here meanwhile
        return object()

    loaded = once(load)

    def ask(name: str) -> object:
        asking.wait(10)
        return loaded(name)

    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(ask, ["model"] * 4))
    assert (loads, len(found)) == (["model"], 1)


class Echo:
    """An engine that gives back each text's first id, and notes what shared a batch."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        self.batches.append(batch)
        done((batch.ids[:, 0].astype(np.float32),))


class Gated(Echo):
    """Stands still in its first batch until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go = Event(), Event()

    def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
        self.began.set()
        assert self.go.wait(30)
        super().start(batch, done)


def let_go(engine: Gated, queue: SharedQueue, waiting: int) -> None:
    """Once so many callers are in the queue."""
    with queue._changed:
        assert queue._changed.wait_for(lambda: len(queue._jobs) == waiting, 30)
    engine.go.set()


def text(id_: int, length: int) -> Tokens:
    return Tokens([id_] * length, [0] * length)


def test_results_come_in_the_order_given_from_batches_of_like_length() -> None:
    engine = Echo()
    texts = [text(i, length) for i, length in enumerate([3, 90, 5, 100, 4, 95])]
    assert [float(out) for (out,) in SharedQueue(engine).run(texts, 320)] == [0, 1, 2, 3, 4, 5]
    assert [batch.ids.shape for batch in engine.batches] == [(3, 104), (3, 8)]


def test_a_text_longer_than_the_budget_goes_alone() -> None:
    engine = Echo()
    SharedQueue(engine).run([text(1, 50), text(2, 40)], 10)
    assert [batch.ids.shape for batch in engine.batches] == [(1, 56), (1, 40)]


def test_nothing_asked_starts_nothing() -> None:
    engine = Echo()
    assert SharedQueue(engine).run([], 100) == []
    assert engine.batches == []


def test_questions_of_several_callers_share_a_batch() -> None:
    """The first one holds the model; those who come meanwhile are encoded together."""
    engine = Gated()
    queue = SharedQueue(engine)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(queue.run, [text(100, 5)], 1000)
        engine.began.wait(30)
        others = [threads.submit(queue.run, [text(i, 5 + i)], 1000) for i in range(8)]
        let_go(engine, queue, waiting=9)
        assert float(first.result(30)[0][0]) == 100
        assert [float(other.result(30)[0][0]) for other in others] == list(range(8))
    assert [len(batch.ids) for batch in engine.batches] == [1, 8]


def test_a_short_request_does_not_wait_for_all_of_a_long_one() -> None:
    engine = Gated()
    queue = SharedQueue(engine)
    with ThreadPoolExecutor(2) as threads:
        long = threads.submit(queue.run, [text(1, 104)] * 50, 104)
        engine.began.wait(30)
        short = threads.submit(queue.run, [text(2, 5)], 100)
        let_go(engine, queue, waiting=2)
        assert float(short.result(30)[0][0]) == 2
        assert len(long.result(30)) == 50
    assert [int(batch.ids[0, 0]) for batch in engine.batches].index(2) <= 2


def test_a_failure_reaches_those_whose_batch_it_was_and_nobody_else() -> None:
    class Failing(Echo):
        def start(self, batch: Batch, done: Callable[[Outputs], None]) -> None:
            if (batch.ids == 13).any():
                raise RuntimeError("no luck")
            super().start(batch, done)

    queue = SharedQueue(Failing())
    with pytest.raises(RuntimeError, match="no luck"):
        queue.run([text(13, 4), text(1, 80)], 80)
    assert float(queue.run([text(2, 4)], 80)[0][0]) == 2


# --- what a question costs to start -----------------------------------------------------------------


def test_a_question_on_a_fresh_process_imports_no_torch(handbook_settings: Settings) -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom rag.cli.app import app\n"
        "said = CliRunner().invoke(app, ['ask', 'How do I reset the tracker?'])\n"
        "assert said.exit_code == 0, said.output\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RAG_STORE__PATH": str(handbook_settings.store.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
