from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.places import CONFIGS

from rag import Settings
from rag.errors import ConfigError
from rag.rerankers.cohere import CohereRerankerSettings
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.settings import public, resolved

SECRET = "sk-4711-do-not-tell"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def load(path: Path, text: str) -> Settings:
    path.write_text(text, "utf-8")
    return Settings.load(path)


def refusal(path: Path | None = None, text: str = "") -> str:
    if path is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        Settings.load(path)
    return str(raised.value)


# --- file and environment ------------------------------------------------------------------


def test_without_file_or_environment_the_defaults_hold() -> None:
    settings = Settings.load()
    assert (settings.store.path, settings.reranker.top_k, settings.generator.kind) == (
        Path(".rag"),
        5,
        "extractive",
    )


def test_an_empty_file_is_all_defaults(written: Path) -> None:
    assert load(written, "") == Settings.load()
    assert load(written, "reranker:\n") == Settings.load()


def test_the_environment_works_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__TOP_K", "3")
    assert Settings.load().reranker.top_k == 3


def test_the_environment_wins_over_the_file_leaf_by_leaf(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_RERANKER__TOP_K", "3")
    monkeypatch.setenv("rag_store__path", "/elsewhere")
    settings = load(written, "reranker: {top_k: 7, threshold: 0.25}\nretriever: {top_n: 20}\n")
    assert (settings.reranker.top_k, settings.reranker.threshold) == (3, 0.25)
    assert settings.retriever.top_n == 20
    assert settings.store.path == Path("/elsewhere")


def test_a_whole_section_can_come_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER", '{"top_k": 9}')
    assert Settings.load().reranker.top_k == 9


def test_a_section_without_a_kind_means_the_defaults_kind(written: Path) -> None:
    assert load(written, "reranker: {precision: float}").reranker.kind == "late-interaction"


def test_a_kind_chooses_its_settings(written: Path) -> None:
    reranker = load(written, "reranker: {kind: cross-encoder, model: a/b, max_length: 256}").reranker
    assert isinstance(reranker, CrossEncoderSettings)
    assert (reranker.model, reranker.max_length) == ("a/b", 256)


def test_the_environment_can_change_the_kind_where_the_file_leaves_it_open(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_RERANKER__KIND", "none")
    assert load(written, "reranker: {top_k: 2}").reranker.kind == "none"


@pytest.mark.parametrize(
    "file", ["reranker: {kind: late-interaction, precision: float}", "reranker: {precision: float}"]
)
def test_a_kind_changed_by_the_environment_meets_leftovers_of_the_file_and_says_so(
    written: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("RAG_RERANKER__KIND", "cohere")
    message = refusal(written, file)
    assert "'reranker.precision'" in message
    assert "RAG_RERANKER__KIND changed the kind to cohere, and the file's keys belong to another" in message


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_every_config_that_is_shipped_loads(config: Path) -> None:
    assert Settings.load(config)


# --- what is refused -----------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read: No such file"):
        Settings.load(tmp_path / "absent.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("text", ["a: b: c", "{", "\tx", "a: *nothing", "!!python/object:os.system {}"])
def test_what_is_not_yaml_is_refused(written: Path, text: str) -> None:
    assert "is not YAML" in refusal(written, text)


def test_bytes_that_are_no_text_are_refused(written: Path) -> None:
    written.write_bytes(b"\xff\xfe\x00reranker")
    with pytest.raises(ConfigError, match="is not YAML"):
        Settings.load(written)


@pytest.mark.parametrize("text", ["[1, 2]", "just words", "5"])
def test_yaml_without_sections_is_refused(written: Path, text: str) -> None:
    assert "not sections such as `reranker:`" in refusal(written, text)


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("rerankers: {top_k: 3}", "unknown section 'rerankers'", "'reranker'"),
        ("Reranker: {top_k: 3}", "unknown section 'Reranker'", "'reranker'"),
        ("reranker: {topk: 3}", "unknown key 'reranker.topk'", "'top_k'"),
        (
            "reranker: {kind: cross-encoder, max_lenght: 3}",
            "unknown key 'reranker.max_lenght'",
            "'max_length'",
        ),
        ("reranker: {kind: cross_encoder}", "there is no 'cross_encoder'", "'cross-encoder'"),
        ("retriever: {topn: 3}", "unknown key 'retriever.topn'", "'top_n'"),
        ("loader: {max_byte: 3}", "unknown key 'loader.max_byte'", "'max_bytes'"),
        ("store: {kind: embeded}", "there is no 'embeded'", "'embedded'"),
        ("retriever: {kind: hybird}", "there is no 'hybird'", "'hybrid'"),
        ("top_k: 3", "unknown section 'top_k'", "reranker"),
    ],
)
def test_a_misspelt_name_in_the_file_is_refused_with_the_nearest(
    written: Path, text: str, wrong: str, right: str
) -> None:
    message = refusal(written, text)
    assert wrong in message
    assert right in message.split(wrong)[1]
    assert str(written) in message


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("RAG_RERANKERS__TOP_K", "RAG_RERANKER__TOP_K"),
        ("RAG_RERANKER__TOPK", "RAG_RERANKER__TOP_K"),
        ("RAG_RERANKER_TOP_K", "RAG_RERANKER__TOP_K"),
        ("RAG_STORE_PATH", "RAG_STORE__PATH"),
        ("rag_retriever__topn", "RAG_RETRIEVER__TOP_N"),
    ],
)
def test_a_misspelt_name_in_the_environment_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, variable: str, right: str
) -> None:
    monkeypatch.setenv(variable, "3")
    assert refusal() == f"{variable.upper()} names no setting: did you mean {right!r}?"


def test_a_key_of_another_kind_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__MAX_LENGTH", "3")
    assert "unknown key 'reranker.max_length' in RAG_RERANKER__MAX_LENGTH" in refusal()


@pytest.mark.parametrize(
    ("text", "key", "value", "allowed"),
    [
        ("reranker: {top_k: many}", "reranker.top_k", "'many'", "integer"),
        ("reranker: {top_k: 0}", "reranker.top_k", "0", "greater than 0"),
        ("reranker: {top_k: null}", "reranker.top_k", "None", "integer"),
        ("reranker: {threshold: 1.5}", "reranker.threshold", "1.5", "less than or equal to 1"),
        ("reranker: {precision: 2bit}", "reranker.precision", "'2bit'", "'1bit' or 'float'"),
        ("selection: {order: random}", "selection.order", "'random'", "'relevance', 'document' or 'edges'"),
        ("selection: {budget: -5}", "selection.budget", "-5", "greater than 0"),
        ("loader: {exclude: 7}", "loader.exclude", "7", "tuple"),
        ("reranker: 5", "reranker", "5", "dictionary"),
        ("reranker: [top_k]", "reranker", "['top_k']", "dictionary"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_key_value_and_what_is_allowed(
    written: Path, text: str, key: str, value: str, allowed: str
) -> None:
    message = refusal(written, text)
    assert message.startswith(f"{key} in {written}: ")
    assert f"got {value}" in message
    assert allowed in message


def test_a_wrong_value_in_the_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__TOP_K", "many")
    assert refusal().startswith("reranker.top_k in RAG_RERANKER__TOP_K: ")
    monkeypatch.delenv("RAG_RERANKER__TOP_K")
    monkeypatch.setenv("RAG_RERANKER", "many")
    assert refusal().startswith("reranker in RAG_RERANKER: ")


def test_everything_that_is_wrong_is_told_at_once(written: Path) -> None:
    lines = refusal(written, "reranker: {top_k: 0, ratio: 7}\nretriever: {top_n: x}").splitlines()
    assert len(lines) == 3
    assert len(refusal(written, "stoer: {}\nretreiver: {}").splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "policy: {fallback: [{kind: voyage, modle: x}]}",
            "unknown key 'policy.fallback.0.voyage.modle' in .*: did you mean 'model'",
        ),
        (
            "policy: {fallback: [voyag]}",
            "policy.fallback.0.kind in .*: there is no 'voyag': did you mean 'voyage'",
        ),
        ("policy: {skip_when: {few: 3}}", "policy.skip_when.few' in .*: there are candidates, margin"),
        ("policy: {prices: [{provider: jina, units: 3}]}", "prices.0.units' in .*: did you mean 'unit'"),
        ("policy: {cascade: [none]}", "cascade: none needs top_k"),
        ("policy: {fallback: [{kind: voyage, api_key: x}]}", "policy holds an api_key, which is a secret"),
    ],
)
def test_what_is_wrong_inside_a_section_is_told_as_well(written: Path, text: str, said: str) -> None:
    assert re.search(said, refusal(written, text))


@pytest.mark.parametrize("text", ["http://me:{}@host/v1", "http://host/v1?key={}"])
@pytest.mark.parametrize(
    "section",
    ["reranker: {{kind: voyage, base_url: '{}'}}", "policy: {{fallback: [{{kind: http, base_url: '{}'}}]}}"],
)
def test_an_address_with_a_password_or_a_query_is_refused(written: Path, text: str, section: str) -> None:
    message = refusal(written, section.format(text.format("hush")))
    assert "a key belongs into the environment" in message
    assert "hush" not in message


def test_a_list_and_a_word_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_POLICY__FALLBACK", '["cross-encoder", "none"]')
    monkeypatch.setenv("RAG_RERANKER__KIND", "voyage")
    settings = Settings.load()
    assert [other.kind for other in settings.policy.fallback] == ["cross-encoder", "none"]
    assert settings.reranker.kind == "voyage"


# --- secrets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "key"),
    [("reranker", "api_key"), ("generator", "api_key"), ("embedder", "api_key"), ("store", "token")],
)
def test_a_secret_in_the_file_is_refused_with_the_variable_to_use(
    written: Path, section: str, key: str
) -> None:
    message = refusal(written, f"{section}: {{{key}: {SECRET}}}")
    assert f"{section}.{key} is a secret: set it as RAG_{section.upper()}__{key.upper()}" in message
    assert SECRET not in message


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RAG_RERANKER__KIND", "cohere")
    monkeypatch.setenv("RAG_RERANKER__API_KEY", SECRET)
    return Settings.load()


def test_a_secret_reaches_the_part_that_needs_it(secretive: Settings) -> None:
    assert isinstance(secretive.reranker, CohereRerankerSettings)
    assert secretive.reranker.api_key == SecretStr(SECRET)


def test_a_secret_stands_in_no_dump(secretive: Settings) -> None:
    shown = [
        repr(secretive),
        str(secretive),
        repr(secretive.reranker),
        secretive.model_dump_json(),
        str(secretive.model_dump()),
        json.dumps(public(secretive)),
        str(list(resolved(secretive))),
    ]
    assert not [text for text in shown if SECRET in text]
    assert public(secretive)["reranker"]["api_key"] == "(set)"


@pytest.mark.parametrize(
    "others",
    [
        {"RAG_STORE__KIND": "cloud"},
        {"RAG_STORE__KIND": "nonsense"},
        {"RAG_STORE__KIND": "server", "RAG_STORE__PORT": "-1"},
        {"RAG_STORE__PATH": "x"},
        {"RAG_STORE": "[1]"},
    ],
)
def test_a_secret_stands_in_no_error(monkeypatch: pytest.MonkeyPatch, others: dict[str, str]) -> None:
    monkeypatch.setenv("RAG_STORE__API_KEY", SECRET)
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    assert SECRET not in refusal()


def test_a_secret_stands_in_no_error_of_settings_that_are_made_in_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAG_RERANKER__API_KEY", SECRET)
    with pytest.raises(ValueError, match="api_key") as raised:
        Settings()
    assert SECRET not in str(raised.value)


def test_a_secret_that_is_not_set_is_not_listed() -> None:
    assert not [
        key for key, _, _ in resolved(Settings.load()) if "key" in key or "token" in key.split(".")[1:]
    ]


# --- where a value came from ---------------------------------------------------------------


def test_every_value_is_told_with_where_it_came_from(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER__TOP_K", "3")
    monkeypatch.setenv("RAG_SELECTION", '{"budget": 100}')
    settings = load(written, "reranker: {top_k: 7, ratio: 0.5}\nselection: {order: edges}")
    rows = {key: (value, origin) for key, value, origin in resolved(settings, written)}
    assert rows["reranker.top_k"] == (3, "RAG_RERANKER__TOP_K")
    assert rows["reranker.ratio"] == (0.5, str(written))
    assert rows["reranker.kind"] == ("late-interaction", "default")
    assert rows["selection.budget"] == (100, "RAG_SELECTION")
    assert rows["selection.order"] == ("edges", str(written))
    assert rows["retriever.top_n"] == (50, "default")
    assert json.dumps(rows)


def test_every_setting_of_every_section_is_told() -> None:
    keys = {key for key, _, _ in resolved(Settings.load())}
    assert {"store.path", "loader.exclude", "chunker.tokens", "embedder.model", "generator.sentences"} <= keys
    assert {key.split(".")[0] for key in keys} == set(Settings.model_fields)


# --- as values -----------------------------------------------------------------------------


def test_equal_settings_are_one_key(written: Path) -> None:
    text = "reranker: {kind: cohere, top_k: 3, fields: [title, text]}\nloader: {exclude: ['*.log']}"
    one, other = load(written, text), load(written, text)
    assert one == other
    assert len({one, other, Settings.load()}) == 2


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().reranker.top_k = 3  # type: ignore[misc]  # that is the point


# --- numbers without sense -----------------------------------------------------------------


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "-1", "1e300", "9" * 30])
@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("generator", "timeout_s"),
        ("generator", "temperature"),
        ("generator", "max_tokens"),
        ("generator", "retries"),
        ("reranker", "top_k"),
        ("reranker", "threshold"),
        ("retriever", "top_n"),
        ("retriever", "rrf_k"),
        ("selection", "budget"),
        ("policy", "deadline_ms"),
        ("policy", "breaker_s"),
        ("policy", "cache_bytes"),
        ("loader", "max_bytes"),
        ("chunker", "tokens"),
    ],
)
def test_a_number_without_sense_is_refused_by_its_key(
    written: Path, section: str, key: str, value: str
) -> None:
    kind = "kind: openai, " if section == "generator" else ""
    assert f"{section}.{key}" in refusal(written, f"{section}: {{{kind}{key}: {value}}}")


def test_so_is_one_within_a_list(written: Path) -> None:
    prices = "policy: {prices: [{provider: cohere, unit: .inf}]}"
    assert "policy.prices[0].unit" in refusal(written, prices)


def test_a_port_that_no_machine_has_is_refused(written: Path) -> None:
    assert "store.port" in refusal(written, "store: {kind: server, port: 70000}")


def test_an_environment_that_is_nested_too_deeply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER", "[" * 100_000)
    assert "RAG_" in refusal()
