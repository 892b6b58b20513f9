from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # it ships no types

from rag.blas import one_thread


def threads() -> list[int]:
    """Of numpy's: other libraries bring their own, and load it when they please."""
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy.libs" in library["filepath"]
    ]


def test_inside_it_is_one_and_afterwards_what_it_was() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    assert before
    with one_thread():
        assert threads() == [1] * len(before)
        with one_thread():
            pass
        assert threads() == [1] * len(before)
    assert threads() == before


def test_callers_side_by_side_leave_it_as_it_was() -> None:
    before = threads()

    def product(_: int) -> float:
        with one_thread():
            return float((np.ones((300, 300)) @ np.ones((300, 300)))[0, 0])

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(product, range(200))} == {300.0}
    assert threads() == before


def test_an_error_inside_leaves_it_as_it_was() -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert threads() == before
