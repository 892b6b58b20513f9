"""Directives and roles that docutils does not know, registered under their names with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import get_language
from docutils.statemachine import StringList
from docutils.utils import new_document

from rag.loaders.page import words

_CODE = words("code-block sourcecode prompt productionlist doctest testcode")
_OF_THE_SITE = words(
    "toctree index highlight currentmodule module tabularcolumns sectionauthor literalinclude"
)
_VERSIONS = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
    "versionremoved": "Removed in version",
}
_IN_WORDS = words("ref doc term abbr dfn guilabel menuselection numref any rfc pep")
_TARGET = re.compile(r"(.{1,500}?)\s{0,20}<[^<>]*>\Z", re.DOTALL)


class _AnyOption(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return directives.unchanged


class _Described(Directive):
    """A term and its definition, code, or what stands in it."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = _AnyOption({"name": directives.unchanged})

    def run(self) -> list[nodes.Node]:
        name = self.name.rsplit(":", 1)[-1]
        argument = self.arguments[0] if self.arguments else ""
        if name in _OF_THE_SITE:
            return []
        if name in _CODE:
            code = "\n".join(self.content)
            return [nodes.literal_block(code, code)] if code else []
        body = self._body()
        if name in _VERSIONS:
            return [*self._line(f"{_VERSIONS[name]} {argument}"), *body]
        return [self._definition(argument, body)] if argument else body

    def _body(self) -> list[nodes.Node]:
        found = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, found)
        return list(found.children)

    def _line(self, text: str) -> list[nodes.Node]:
        found = nodes.Element()
        self.state.nested_parse(StringList([text], source=""), self.content_offset, found)
        return list(found.children)

    def _definition(self, argument: str, body: list[nodes.Node]) -> nodes.Node:
        terms = (
            nodes.term("", "", nodes.literal(line, line))
            for line in map(str.strip, argument.split("\n"))
            if line
        )
        return nodes.definition_list("", nodes.definition_list_item("", *terms, nodes.definition("", *body)))


def know(directive_names: Iterable[str], role_names: Iterable[str]) -> None:
    nobody, english = new_document(""), get_language("en")
    for name in {name.lower() for name in directive_names}:
        # Of code, Sphinx knows options that docutils refuses.
        if name in _CODE or directives.directive(name, english, nobody)[0] is None:  # type: ignore[arg-type]  # as its own code calls it
            directives.register_directive(name, _Described)
    for name in {name.lower() for name in role_names}:
        if roles.role(name, english, 0, nobody.reporter)[0] is None:  # type: ignore[arg-type]  # likewise
            roles.register_local_role(name, _role)  # type: ignore[arg-type]  # a role may give any node


def _role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    shown = nodes.unescape(text)
    if found := _TARGET.match(shown):
        shown = found[1]
    shown = shown.lstrip("!~")
    if name.rsplit(":", 1)[-1] in _IN_WORDS:
        return [nodes.inline(rawtext, shown)], []
    return [nodes.literal(rawtext, shown)], []
