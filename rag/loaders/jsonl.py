"""JSON lines: a document for each line. A bad line costs nobody but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rag.loaders.raw import RawFile
from rag.loaders.records import documents
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped


def load(file: RawFile) -> Iterable[Document | Skipped]:
    lines = enumerate(file.text().split("\n"), start=1)  # splitlines would cut inside strings
    return documents(file, "line", ((number, _value(line)) for number, line in lines if line.strip()))


def _value(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        return Unreadable("not valid JSON: " + str(error).replace("line 1 column", "column"))
    except RecursionError:
        return Unreadable("nested too deeply to be read")
