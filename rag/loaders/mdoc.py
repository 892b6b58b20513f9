"""The macros of mdoc(7), which say what a word is: a flag, an argument, a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from rag.loaders.man import Page
from rag.loaders.page import words
from rag.loaders.roff import arguments, as_html

_MACRO = re.compile(r"[.'][ \t]*([A-Z%][A-Za-z0-9]{1,2})(?![A-Za-z0-9])[ \t]*(.*)\Z", re.DOTALL)
_CODE = words("Cm Ic Nm Pa Ev Va Li Fn Dv Er Sy Cd In Fd Ql")
_PLAIN = words("Ar Em Fa Ft Vt No Ad An Tn Ms Bx Ux Nx Ox Fx Dx St At Lk Mt Lb Nd Rv Ex Bsx Sx Xr Dl")
_AROUND = {
    **dict(zip(("Op", "Dq", "Qq", "Sq"), ("[]", "“”", '""', "‘’"), strict=True)),
    **dict(zip(("Pq", "Bq", "Aq", "Brq"), ("()", "[]", "<>", "{}"), strict=True)),
}
_OPENS = {"Oo": "[", "Po": "(", "Do": "“", "So": "‘", "Bo": "[", "Ao": "<", "Bro": "{", "Qo": '"'}
_CLOSES = {"Oc": "]", "Pc": ")", "Dc": "”", "Sc": "’", "Bc": "]", "Ac": ">", "Brc": "}", "Qc": '"'}
_CALLED = _CODE | _PLAIN | {*_AROUND, *_OPENS, *_CLOSES, "Fl", "Ns", "Pf", "Ap", "Ta"}
_NAMES = {"Ux": "UNIX", "Bx": "BSD", "Nx": "NetBSD", "Ox": "OpenBSD", "Fx": "FreeBSD", "Dx": "DragonFly"}
# What a macro says without words of its own.
_ALONE = {**_NAMES, "Fl": "-", "Ar": "file ..."}
_ENDS = frozenset(".,;:?!)]")
_BEGINS = frozenset("([")
_LISTS = {"bullet": "ul", "dash": "ul", "hyphen": "ul", "item": "ul", "column": "ul", "enum": "ol"}


class Mdoc:
    def __init__(self) -> None:
        self.page = Page()
        self.title = ""
        self._name = ""
        self._lists: list[str] = []
        self._head: list[str] | None = None  # of an entry that goes over several lines

    def take(self, line: str) -> None:
        macro = _MACRO.match(line) if line[:1] in (".", "'") else None
        if self._head is not None:
            self._take_head(macro[1] if macro else "", macro[2] if macro else line)
            return
        if macro is not None:
            self._macro(macro[1], arguments(macro[2]))
        elif self.page.code is not None or line.strip():
            self.page.say(as_html(line))
        else:
            self.page.flush()

    def _macro(self, name: str, given: Sequence[str]) -> None:
        if name == "Dt":
            self.title = f"{given[0].lower()}({given[1]})" if len(given) > 1 else ""
        elif name in ("Sh", "Ss"):
            self.page.heading(1 if name == "Sh" else 2, self._line(given))
        elif name in ("Pp", "Lp"):
            self.page.flush()
        elif name == "Bl":
            self._lists.append(_LISTS.get(given[0].removeprefix("-") if given else "", "dl"))
            self.page.push()
        elif name == "El":
            if self._lists:
                self._lists.pop()
                self.page.pop()
        elif name == "It":
            self._item(given)
        elif name in ("Bd", "Ed"):
            self.page.flush()
            self.page.set_code(name == "Bd" and any(kind in ("-literal", "-unfilled") for kind in given))
        elif name in ("Dl", "D1"):
            self.page.set_code(True)
            self.page.say(re.sub("</?code>", "", self._line(given)))
            self.page.set_code(False)
        elif name == "Nd":
            self.page.say(f"– {self._line(given)}")
        elif name in _CALLED:
            self._remember(name, given)
            self.page.say(self._line([name, *given]))

    def _remember(self, name: str, given: Sequence[str]) -> None:
        if name == "Nm" and given and not self._name:
            self._name = given[0]

    def _take_head(self, name: str, rest: str) -> None:
        if self._head is None:
            return
        if name == "Xc":
            head, self._head = " ".join(self._head), None
            self._entry(f"{head}{self._line(arguments(rest))}")
        elif name in _CALLED:
            self._head.append(self._line([name, *arguments(rest)]))
        elif not name:
            self._head.append(as_html(rest))

    def _item(self, given: Sequence[str]) -> None:
        if given and given[-1] == "Xo":
            self._head = [self._line(given[:-1])]
        else:
            self._entry(self._line(given))

    def _entry(self, head: str) -> None:
        kind = self._lists[-1] if self._lists else "ul"
        if kind == "dl":
            self.page.term(head)
        else:
            self.page.entry(kind, "li")
            if head:
                self.page.say(head)

    # --- words --------------------------------------------------------------------------------

    def _line(self, given: Sequence[str]) -> str:
        made, ends, mode, glued = list[str](), list[str](), "", True
        for at, word in enumerate(given):
            if word in _CALLED:
                mode, glued = self._called(word, made, ends, given[at + 1 : at + 2], glued)
                continue
            bare = as_html(word)
            if word in _ENDS and made:
                glued = True
            shown = bare if word in _ENDS or word in _BEGINS else _styled(mode, bare)
            made += [shown] if glued else [" ", shown]
            glued = word in _BEGINS
            if mode == "Xr" and at + 1 < len(given) and given[at + 1][:1].isdigit():
                mode, glued = "section", True
        after: list[str] = []  # what ends a sentence stands behind what is enclosed
        while ends and made and made[-1] in _ENDS:
            after.insert(0, made.pop())
        return "".join([*made, *reversed(ends), *after])

    def _called(
        self, name: str, made: list[str], ends: list[str], following: Sequence[str], glued: bool
    ) -> tuple[str, bool]:
        """How the words after a macro are shown, and whether the next stands close to what is there."""
        alone = not following or following[0] in _CALLED or following[0] in _ENDS
        space = [] if glued or not made else [" "]
        if name in _AROUND or name in _OPENS:
            left, *right = list(_AROUND.get(name) or _OPENS[name])
            made += [*space, escape(left, quote=False)]
            ends += [escape(mark, quote=False) for mark in right]
            return "", True
        if name in _CLOSES:
            made.append(escape(_CLOSES[name], quote=False))
            return "", False
        if name in ("Ns", "Pf", "Ap"):
            made += ["'"] if name == "Ap" else []
            return "", True
        if name == "Ta":
            made.append(" | ")
            return "", True
        told = self._name if name == "Nm" else _ALONE.get(name, "")
        if alone and told:
            made += [*space, _styled("Cm" if name in ("Nm", "Fl") else "", as_html(told))]
            return "", name == "Fl"
        return name, glued or not made


def _styled(mode: str, html: str) -> str:
    if mode == "section":
        return f"({html})"
    if mode == "Fl":
        return f"<code>-{html}</code>"
    if mode == "Nd":
        return html
    return f"<code>{html}</code>" if mode in _CODE and "<code>" not in html else html
