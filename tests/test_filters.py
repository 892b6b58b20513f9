"""Filters mean the same in Chroma and in the lexical index, whatever types and tricks are in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import InputError
from rag.filters import Where, canonical, typed_forms
from rag.index.lexical import LexicalStore
from rag.stores.chroma import EmbeddedStoreSettings
from rag.types import Chunk, Floats, Metadata, Scalar

VALUES: dict[str, Metadata] = {
    "text": {"key": "optics"},
    "int": {"key": 2024},
    "float": {"key": 0.25},
    "whole float": {"key": 3.0},
    "tiny float": {"key": 1e-07},
    "huge float": {"key": 1e22},
    "true": {"key": True},
    "false": {"key": False},
    "list": {"key": ("optics", "dome")},
    "list of ints": {"key": (2023, 2024)},
    "mixed list": {"key": (True, 2.0, "dome", 7)},
    "number as text": {"key": "2024"},
    "padded number": {"key": "007"},
    "seven": {"key": 7},
    "dotted number": {"key": "3.0"},
    "path": {"key": "../../etc/passwd"},
    "operator": {"key": "$ne"},
    "quotes": {"key": "\"' OR 1=1 --"},
    "equals": {"key": "a=b"},
    "other key": {"key=a": "b", "start": 5, "end": "x"},
    "empty": {"key": ""},
    "emoji": {"key": "🌍 naïve"},
    "long": {"key": "x" * 5000},
}


class Both:
    """The same chunks on both sides."""

    def __init__(self, folder: Path, chunks: Mapping[str, Metadata]) -> None:
        self.dense = EmbeddedStoreSettings(path=folder).build().open("family", 1)
        self.lexical = LexicalStore(folder).open("family", 1)
        made = [chunk(name, metadata) for name, metadata in chunks.items()]
        self.dense.add(made, [vector()] * len(made))
        self.lexical.add(made)

    def search(self, where: Where | None, n: int = 100) -> tuple[set[str], set[str]]:
        dense, lexical = self.dense.search(vector(), n, where), self.lexical.search("word", n, where)
        return {hit.id for hit in dense}, {hit.id for hit in lexical}

    def found(self, where: Where | None) -> set[str]:
        dense, lexical = self.search(where)
        assert dense == lexical
        return dense


def chunk(name: str, metadata: Metadata, page: int | None = None) -> Chunk:
    return Chunk(name, "d", f"{name}.md", 0, "a word", 0, 6, page=page, reading="a word", metadata=metadata)


def vector() -> Floats:
    return np.full(4, 0.5, np.float32)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("filters"), VALUES)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("optics", {"text", "list"}),
        ("opt", set()),
        ("2024", {"int", "list of ints", "number as text"}),
        (2024, {"int", "list of ints", "number as text"}),
        (0.25, {"float"}),
        ("3", {"whole float"}),
        (3.0, {"whole float"}),
        ("3.0", {"dotted number"}),
        (1e-07, {"tiny float"}),
        (1e22, {"huge float"}),
        (True, {"true", "mixed list"}),
        ("true", {"true", "mixed list"}),
        (False, {"false"}),
        ("1", set()),
        ("0", set()),
        ("2", {"mixed list"}),
        ("7", {"seven", "mixed list"}),
        ("007", {"padded number"}),
        ("dome", {"list", "mixed list"}),
        ("../../etc/passwd", {"path"}),
        ("$ne", {"operator"}),
        ("\"' OR 1=1 --", {"quotes"}),
        ("a=b", {"equals"}),
        ("", {"empty"}),
        ("🌍 naïve", {"emoji"}),
        ("x" * 5000, {"long"}),
        ("nan", set()),
        ("inf", set()),
        ("9" * 400, set()),
        ("9" * 5000, set()),
        ("*", set()),
        ("\ud800", set()),
        (["optics", 7], {"text", "list", "seven", "mixed list"}),
    ],
)
def test_both_sides_find_the_same_values_by_their_text(both: Both, value: object, expected: set[str]) -> None:
    assert both.found(Where.of({"key": value})) == expected  # type: ignore[dict-item]  # of several types


def test_where_a_chunk_stands_can_be_filtered_on(tmp_path: Path) -> None:
    both = Both(tmp_path, {"a": {}, "b": {}})
    paged = [chunk("paged", {}, page=3)]
    both.dense.add(paged, [vector()])
    both.lexical.add(paged)
    assert both.found(Where.of({"page": 3})) == both.found(Where.parse(["page=3"])) == {"paged"}
    assert both.found(Where.of({"source": ["a.md", "b.md"]})) == {"a", "b"}


def test_a_documents_own_start_and_end_are_its_own(both: Both) -> None:
    assert both.found(Where.of({"start": 5})) == both.found(Where.of({"end": "x"})) == {"other key"}
    assert both.found(Where.of({"start": 0})) == set()


def test_every_key_must_match_and_a_repeated_one_means_either(tmp_path: Path) -> None:
    both = Both(
        tmp_path,
        {"a": {"x": 1, "y": "k"}, "b": {"x": 2, "y": "k"}, "c": {"x": 3, "y": "k"}, "d": {"x": 1, "y": "l"}},
    )
    assert both.found(Where.parse(["x=1", "x=2", "y=k"])) == {"a", "b"}
    assert both.found(Where.of({"x": [1, 2], "y": "l"})) == {"d"}
    assert both.found(None) == {"a", "b", "c", "d"}


def test_filters_apply_before_ranking(tmp_path: Path) -> None:
    """The only chunk with the value is found though hundreds rank before it."""
    both = Both(tmp_path, {f"{i}": {"tag": "common"} for i in range(300)} | {"last": {"tag": "rare"}})
    assert both.search(Where.of({"tag": "rare"}), n=1) == ({"last"}, {"last"})


@pytest.mark.parametrize(
    "key", ["", " ", "$ne", "a b", "key=a", "a:b", "../x", "x" * 129, "a\n", "\ud800", "k'"]
)
def test_a_key_that_no_metadata_has_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="is not a metadata key"):
        Where.of({key: "value"})


def test_an_option_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="expected key=value"):
        Where.parse(["department"])
    with pytest.raises(InputError, match="at least one value"):
        Where.of({"department": []})


def test_an_option_is_cut_at_its_first_equals_sign() -> None:
    assert Where.parse(["key = a=b "]) == Where.of({"key": "a=b"})
    assert Where.parse([]) is None
    assert Where.of({}) is Where.of(None) is None


scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.text(max_size=20),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(deadline=None, max_examples=100)
@given(scalars)
def test_every_value_is_among_the_typed_forms_of_its_own_text(value: Scalar) -> None:
    forms = typed_forms(canonical(value))
    if not isinstance(value, str):
        assert any(form == value and type(form) is type(value) for form in forms)
    assert all(canonical(form) == canonical(value) for form in forms)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_typed_forms_of_any_text_are_values_that_a_store_can_hold(text: str) -> None:
    for form in typed_forms(text):
        assert not isinstance(form, float) or math.isfinite(form)
        assert isinstance(form, str | float | bool) or -(2**63) <= form < 2**63
