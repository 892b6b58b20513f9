"""A part without its key says what to do about it, wherever in the config it stands; doing so helps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from support.asked import QUESTION, candidates
from support.servers.rerank_server import RerankServer, Say

from rag import ConfigError, Settings
from rag.assembly import Assembly
from rag.errors import ServiceError
from rag.parts import Connection, Parts

# What a kind cannot be configured without; the cloud's key is that of no Connection.
NEEDED: dict[str, dict[str, Any]] = {"cloud": {"tenant": "t", "database": "d"}}


def kinds(section: str) -> Iterator[str]:
    """Those of a section that ask a provider, and so need a key."""
    for model in get_args(Settings.model_fields[section].annotation):
        connected = issubclass(model, Connection) and model.variables
        kind = get_args(model.model_fields["kind"].annotation)[0]
        if connected or kind in NEEDED:
            yield kind


def config(place: str, entry: dict[str, Any]) -> dict[str, Any]:
    """With the entry at its place: a section's, or the second of a list."""
    if "[" not in place:
        return {place: entry}
    name = place.removeprefix("policy.").removesuffix("[1]")
    return {"policy": {name: [{"kind": "late-interaction", "top_k": 9}, {**entry, "top_k": 5}]}}


RERANKING = ["reranker", "policy.fallback[1]", "policy.cascade[1]"]
PLACES = {
    **{section: section for section in ("store", "embedder", "retriever", "generator")},
    **dict.fromkeys(RERANKING, "reranker"),
}
ASKED = [(place, kind) for place, section in PLACES.items() for kind in kinds(section)]


def build(place: str, entry: dict[str, Any], folder: Path) -> Any:
    file = folder / "config.yaml"
    given: dict[str, Any] = {"store": {}, **config(place, entry)}
    given["store"]["path"] = str(folder / "index")
    file.write_text(yaml.safe_dump(given))
    assembly = Assembly(Settings.load(file))
    if place in RERANKING:
        return assembly.second_stage.reranker
    if place == "retriever":
        return assembly.settings.retriever.build(lambda: assembly.index)
    return getattr(assembly, "index" if place == "store" else place)


def ways(message: str) -> tuple[list[str], str]:
    """The variables that a message says to set, and the place where it says to put key_env."""
    variables = re.search(r"set ([A-Z0-9_]+(?: or [A-Z0-9_]+)*) in the environment", message)
    named = re.search(r"name the variable that holds it in key_env of (\S+?)\.$", message)
    return variables[1].split(" or ") if variables else [], named[1] if named else ""


@pytest.mark.parametrize(("place", "kind"), ASKED, ids=" ".join)
def test_every_remedy_for_a_missing_key_helps(
    place: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"kind": kind, **NEEDED.get(kind, {})}
    with pytest.raises(ConfigError, match="needs a key") as caught:
        build(place, entry, tmp_path)
    variables, named = ways(str(caught.value))
    assert variables
    for variable in variables:
        with monkeypatch.context() as environment:
            environment.setenv(variable, "key-0123456789")
            build(place, entry, tmp_path)
    assert named == place
    monkeypatch.setenv("MY_OWN_KEY", "key-0123456789")
    build(place, {**entry, "key_env": "MY_OWN_KEY"}, tmp_path)


@pytest.mark.parametrize("place", RERANKING)
def test_a_variable_that_key_env_names_and_nobody_set_is_the_one_to_set(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"kind": "jina", "key_env": "MY_OWN_KEY"}
    with pytest.raises(ConfigError, match=r"Jina needs a key: set MY_OWN_KEY in the environment\.$"):
        build(place, entry, tmp_path)
    monkeypatch.setenv("MY_OWN_KEY", "key-0123456789")
    build(place, entry, tmp_path)


@pytest.mark.parametrize("place", RERANKING)
def test_at_another_address_the_providers_variables_do_not_help_and_are_not_named(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"kind": "voyage", "base_url": "http://127.0.0.1:9"}
    monkeypatch.setenv("VOYAGE_API_KEY", "key-0123456789")
    with pytest.raises(ConfigError) as caught:
        build(place, entry, tmp_path)
    variables, named = ways(str(caught.value))
    assert (variables, named) == (["RAG_RERANKER__API_KEY"] if place == "reranker" else [], place)
    build(place, {**entry, "key_env": "VOYAGE_API_KEY"}, tmp_path)


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("reranker", "RAG_RERANKER__API_KEY"),
        ("policy.cascade[1]", "the variable that key_env of policy.cascade[1] names"),
    ],
)
def test_a_refusal_says_where_the_refused_key_is_looked_for(
    place: str, names: str, rerank_server: RerankServer, tmp_path: Path
) -> None:
    """A server of one's own is asked without a key; that it wants one, only its refusal tells."""
    rerank_server.plan(Say(401, {"message": "who are you?"}))
    entry = {"kind": "http", "base_url": f"{rerank_server.url}/infinity", "retries": 0}
    part = dict(Settings.model_validate(config(place, entry)).rerankers())[place]
    with pytest.raises(ServiceError, match=re.escape(f"Check the key in {names}.")):
        part.build(Parts(None, None, place)).score(QUESTION, candidates("a"))  # type: ignore[arg-type]  # nobody looks at them
