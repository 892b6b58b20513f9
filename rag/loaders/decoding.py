"""From bytes to clean text."""

from __future__ import annotations

import codecs
import re
from itertools import islice

from rag.loaders.unreadable import Unreadable

_MARKS = (  # the longer marks first: the one of UTF-32 starts with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = [  # what is left of the world before UTF-8; a longer list only adds wrong guesses
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("koi8_r", "iso8859_2", "iso8859_5", "iso8859_15"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_SAMPLE_BYTES = 200_000
_LINE_ENDS = re.compile(r"\r\n|[\r\v\f]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def normalise(text: str) -> str:
    """One kind of line end, no control characters, nothing that UTF-8 cannot hold."""
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", text)


def decode(data: bytes, declared: str = "") -> str:
    """The text in `data`; `declared` is the encoding that the file itself names, if it does."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if not encoding and b"\0" in data:
        raise Unreadable("binary file")
    for candidate in filter(None, (encoding, "utf-8", declared)):
        try:
            return normalise(data.decode(candidate))
        except (UnicodeError, LookupError):
            continue
    return normalise(_damaged_utf8(data) or _legacy(data))


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 with a few bad bytes, as logs have it; None where it was never UTF-8."""
    text = data.decode("utf-8", "replace")
    foreign = sum(map(len, re.findall(r"[^\x00-\x7f]+", text)))
    return text if text.count("\ufffd") * 10 < foreign else None


def _legacy(data: bytes) -> str:
    from charset_normalizer import from_bytes

    telling = (line for line in data.splitlines() if not line.isascii())
    sample = b"\n".join(islice(telling, 2000))[:_SAMPLE_BYTES]
    readings = from_bytes(sample, cp_isolation=_LEGACY)
    best = readings.best()
    if best is None:
        raise Unreadable("binary file")
    # A short text reads equally well in many encodings; the most common of them wins the tie.
    tied = (
        reading.chaos <= best.chaos and reading.coherence >= best.coherence
        for reading in readings
        if "cp1252" in reading.could_be_from_charset
    )
    try:
        return data.decode("cp1252" if any(tied) else best.encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("binary file") from error
