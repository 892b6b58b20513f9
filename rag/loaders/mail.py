"""Mail: a document for each message, with its headers as metadata; what is attached and no text is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from itertools import islice

from rag.loaders.decoding import decode
from rag.loaders.html import read
from rag.loaders.raw import RawFile
from rag.loaders.unreadable import Unreadable
from rag.types import Document, Skipped

# Before each message of an mbox stands a line like this one, and an empty line before that.
_BEGINS = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{0,200}\n")
_HEADERS = {"author": "from", "to": "to", "cc": "cc", "message_id": "message-id"}
_MOST_PARTS = 200


def load(file: RawFile) -> Iterable[Document | Skipped]:
    yield from _message(file, file.data, "")


def load_mbox(file: RawFile) -> Iterator[Document | Skipped]:
    begins = [(found.start(), found.end()) for found in _BEGINS.finditer(file.data)]
    if not begins:
        raise Unreadable("no line that begins a message: no mbox file")
    ends = [start for start, _ in begins[1:]] + [len(file.data)]
    for number, ((_, start), end) in enumerate(zip(begins, ends, strict=True), start=1):
        data = re.sub(rb"^>(>{0,9}From )", rb"\1", file.data[start:end], flags=re.MULTILINE)
        try:
            yield from _message(file, data, str(number))
        except Exception as error:  # noqa: BLE001 - the library raises anything; the other messages are read
            yield Skipped(f"{file.source}#{number}", f"message {number} cannot be read: {error}")


def _message(file: RawFile, data: bytes, part: str) -> Iterator[Document | Skipped]:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise Unreadable("no header: no message")
    body = message.get_body(("plain", "html"))
    is_html = body is not None and body.get_content_type() == "text/html"
    subject = _header(message, "subject")
    texts = [f"# {subject}" if is_html else subject, _text(body) if body is not None else ""]
    left_out: list[str] = []
    for attached in _attached(message, body):
        name = attached.get_filename() or attached.get_content_type()
        text = _text(attached)
        texts.append(f"{name}\n\n{text}" if text.strip() else "")
        left_out += [] if text.strip() else [name]
    about = {"title": subject or None, "date": _date(message)}
    about |= {key: _header(message, name) or None for key, name in _HEADERS.items()}
    text = "\n\n".join(text.strip("\n") for text in texts if text.strip())
    yield file.document(text, about, markup="markdown" if is_html else "text", part=part)
    if left_out:
        source = f"{file.source}#{part}" if part else file.source
        yield Skipped(source, f"attached and not read: {', '.join(left_out[:5])}")


def _attached(message: EmailMessage, body: MIMEPart | None) -> Iterator[MIMEPart]:
    """All parts that hold something, but for the body and what says the same in another form."""
    parts = list(islice(message.walk(), _MOST_PARTS + 1))
    if len(parts) > _MOST_PARTS:
        raise Unreadable(f"more than {_MOST_PARTS} parts")
    choices = [part for part in parts if part.get_content_type() == "multipart/alternative"]
    alternatives = {id(part) for choice in choices for part in choice.iter_parts() if _is_body(part)}
    for part in parts:
        if part is not body and not part.is_multipart() and id(part) not in alternatives:
            yield part


def _is_body(part: MIMEPart) -> bool:
    return part.get_content_type() in ("text/plain", "text/html") and not part.is_attachment()


def _text(part: MIMEPart) -> str:
    if part.get_content_maintype() != "text":
        return ""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload:
        return ""
    text = decode(payload, part.get_content_charset() or "")
    return read(text).text if part.get_content_subtype() == "html" else text


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except Exception:  # noqa: BLE001 - a header that breaks its own rules
        return ""


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, TypeError, OverflowError):
        return None
