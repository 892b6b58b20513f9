"""Whatever the bytes: documents with words, or a reason."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.loader_samples import docx, epub, load, pdf, pptx, xlsx

from rag.loaders import LOADERS
from rag.types import Document, Skipped

SAMPLES = {
    ".pdf": pdf("one", "two"),
    ".docx": docx(),
    ".pptx": pptx(),
    ".xlsx": xlsx({"S": [["a", "b"], [1, 2]]}),
    ".epub": epub({"a.xhtml": "<p>text</p>"}),
    ".html": b"<html><title>t</title><main><h1>a</h1><table><tr><td>x</table></main>",
    ".md": b"---\na: [1, 2]\nb: 2024-01-01\n---\n# t\n",
    ".csv": b'a;b\n"1";2\n',
    ".jsonl": b'{"_id": "a", "text": "b", "metadata": {"c": [1, null]}}\n',
}
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(name: str, data: bytes) -> None:
    loaded = load(name, data)
    assert loaded
    for item in loaded:
        if isinstance(item, Skipped):
            assert item.reason.strip()
        else:
            sound(item)


def sound(found: Document) -> None:
    assert found.text.strip()
    found.text.encode()
    assert "\0" not in found.text
    assert list(found.pages) == sorted(found.pages)
    for value in found.metadata.values():
        assert isinstance(value, (str, int, float, bool, tuple))


@pytest.mark.parametrize("suffix", [*LOADERS, "", ".unknown"])
@settings(quick, max_examples=15)
@given(
    data=st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_give_documents_with_words_or_a_reason(suffix: str, data: bytes) -> None:
    check(f"a{suffix}", data)


@pytest.mark.parametrize("suffix", SAMPLES)
@quick
@given(st.data())
def test_a_damaged_file_gives_documents_with_words_or_a_reason(suffix: str, data: st.DataObject) -> None:
    whole = SAMPLES[suffix]
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    check(f"a{suffix}", whole[:start] + data.draw(st.binary(max_size=40)) + whole[start + length :])
