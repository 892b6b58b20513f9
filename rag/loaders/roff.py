"""roff, as manual pages use it: logical lines with their conditions decided, and escapes as HTML.

What is decided is what a terminal would show. Macros that a page defines are not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_CONDITION = re.compile(r"[.'][ \t]*(if|ie|el)\b[ \t]*(.*)\Z", re.DOTALL)
_TEST = re.compile(r"(!?)(?:[nteo](?![\w(])|\([^()]*\)|\\n\([\w.]{2}\S*|'[^']*'[^']*'|[\w.<>=+-]+)[ \t]*")
_DEFINES = re.compile(r"[.'][ \t]*(?:de1?|am|ig)\b[ \t]*\S*[ \t]*(\S*)")
_COMMENT = re.compile(r"[.'][ \t]*\\\"|'\\\"|\.[ \t]*\Z|\\\"")
_REMARK = re.compile(r"(?<!\\)\\[\"#].*\Z")
_ARGUMENT = re.compile(r'[ \t]*(?:"((?:[^"]|"")*)"?|((?:\\.|[^ \t\\])+))')
_ESCAPE = re.compile(
    r"\\(?:f(?:\[([^\]]*)\]|\((..)|(.))"  # fonts
    r"|\[([^\]]+)\]|\((..)"  # characters
    r"|\*(?:\[([^\]]+)\]|\((..)|(.))"  # strings
    r"|[hvwDLlXbBCZ]'[^']*'|s(?:[+-]?\d{1,2}|\[[^\]]*\]|'[^']*')|[nmMkFgOV](?:\[[^\]]*\]|\(..|[+-]?.)"
    r"|(.))",
    re.DOTALL,
)
_NAMES = """
    em en bu hy mi aq dq lq rq oq cq co rg tm ti ha ga rs -> <- <= >= != mu +- de sc Bq Fo Fc
    ss sq or ba br ul sl at sh Do lB rB lC rC pl eq ** 12 14 Eu aa ci OK if
"""
_CHARACTERS = dict(
    zip(
        _NAMES.split(),
        "—–•‐−'\"“”‘’©®™~^`\\→←≤≥≠×±°§„«»ß□||│_/@#$[]{}+=∗½¼€´○✓∞",
        strict=True,
    )
)
_STRINGS = {"Aq": "'", "lq": "“", "rq": "”", 'L"': "“", 'R"': "”", "C`": '"', "C'": '"', "R": "®", "Tm": "™"}
_ACCENTS = {"'": "\u0301", "`": "\u0300", ":": "\u0308", "^": "\u0302", "~": "\u0303", ",": "\u0327"}
_SINGLE = {"-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "'": "´", "`": "`", ".": "."}
_CODE_FONTS = frozenset(("B", "3", "CW", "CB", "CR", "C", "CI", "BI", "4", "TT"))


def lines(text: str) -> Iterator[str]:
    """Without comments and definitions; of conditions the branch that is taken."""
    source = iter(text.replace("\\\n", "").split("\n"))
    taken: list[bool] = []  # of the conditions with braces that are open
    otherwise = False
    for line in source:
        if taken and (line.strip() in (".\\}", "'\\}", "\\}") or line.startswith(".\\}")):
            taken.pop()
            continue
        if (defines := _DEFINES.match(line)) is not None:
            end = "." + (defines[1] or ".")
            for skipped in source:
                if "".join(skipped.split()) == end:
                    break
            continue
        if (condition := _CONDITION.match(line)) is not None:
            holds, rest = _decided(condition[1], condition[2], otherwise)
            otherwise = not holds if condition[1] == "ie" else otherwise
            if rest.lstrip().startswith("\\{"):
                taken.append(holds)
                rest = rest.lstrip().removeprefix("\\{").removeprefix("\\")
                if rest.rstrip().endswith("\\}"):
                    taken.pop()
                    rest = rest.rstrip().removesuffix("\\}")
            line = rest if holds else ""
            if not line.strip():
                continue
        if all(taken) and not _COMMENT.match(line):
            yield _REMARK.sub("", line)


def _decided(word: str, rest: str, otherwise: bool) -> tuple[bool, str]:
    if word == "el":
        return otherwise, rest
    test = _TEST.match(rest)
    if test is None:
        return False, rest
    asked = test[0].strip().removeprefix("!")
    return (asked not in ("t", "o")) != bool(test[1]), rest[test.end() :]


def arguments(text: str) -> list[str]:
    found = []
    for argument in _ARGUMENT.finditer(text):
        quoted, bare = argument.groups()
        found.append(quoted.replace('""', '"') if quoted is not None else bare)
    return found


def as_html(text: str) -> str:
    """With what is set in bold or in letters of one width as code: names that a reader types."""
    made, at, code = [], 0, False
    for found in _ESCAPE.finditer(text):
        made.append(escape(text[at : found.start()], quote=False))
        at = found.end()
        font = found[1] if found[1] is not None else found[2] or found[3]
        if font is not None:
            wanted = font in _CODE_FONTS
            if wanted != code:
                made.append("<code>" if wanted else "</code>")
            code = wanted
        else:
            made.append(escape(_shown(found), quote=False))
    made.append(escape(text[at:], quote=False))
    return "".join(made) + ("</code>" if code else "")


def _shown(found: re.Match[str]) -> str:
    _, _, _, name, short, string, short_string, letter, single = found.groups()
    if (character := name or short) is not None:
        return _character(character)
    if (string := string or short_string or letter) is not None:
        return _STRINGS.get(string, "")
    return _SINGLE.get(single or "", "")


def _character(name: str) -> str:
    if name in _CHARACTERS:
        return _CHARACTERS[name]
    if re.fullmatch(r"u[0-9A-F]{4,5}", name):
        return chr(int(name[1:], 16))
    if len(name) == 2 and name[0] in _ACCENTS:
        return name[1] + _ACCENTS[name[0]]
    return ""
