"""Word documents: headings, lists and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from rag.loaders.archive import office_properties
from rag.loaders.html import read
from rag.loaders.raw import RawFile
from rag.types import Document

_STYLES = "p[style-name='Title'] => h1:fresh"


def load(file: RawFile) -> Iterable[Document]:
    import mammoth  # type: ignore[import-untyped]  # it ships no types

    properties = office_properties(file)
    without_pictures = mammoth.images.img_element(lambda _: {})
    html = mammoth.convert_to_html(BytesIO(file.data), style_map=_STYLES, convert_image=without_pictures)
    page = read(html.value)
    title = properties.get("title") or page.title
    yield file.document(page.text, {**properties, "title": title}, markup="markdown")
