"""Blocks become pieces, each as large as fits: whole blocks side by side, else a block's parts.

What says little alone goes with what follows it, and what a piece needs from above comes along as its lead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.chunkers.passages import Piece
from rag.chunkers.tree import INDENTED, Block

# A heading, label or announcement that stands alone.
_CARRIED = frozenset(("list", "code", "table"))


@dataclass(frozen=True, slots=True)
class _Context:
    """What later pieces of the block in hand need, and the definitions that it stands in."""

    lead: str = ""
    terms: tuple[str, ...] = ()


class Cutter:
    """`fits` tells whether a piece can be read whole; `split` cuts the text of a block without parts, to be
    read with what the piece given holds beside its span."""

    def __init__(
        self,
        text: str,
        fits: Callable[[Piece], bool],
        split: Callable[[Piece, int], Sequence[tuple[int, int]]],
    ) -> None:
        self._text = text
        self._fits = fits
        self._split = split

    def cut(self, blocks: Sequence[Block]) -> list[Piece]:
        return list(self._pieces(blocks, "", _Context()))

    def _pieces(self, blocks: Sequence[Block], lead: str, context: _Context) -> Iterator[Piece]:
        """`lead` is what the first piece needs; the others need the context's."""
        group: list[Block] = []
        for block in blocks:
            if self._fits(self._piece([*group, block], lead, context)):
                group.append(block)
                continue
            whole, bound = _without_binders(group)
            if whole:
                yield self._piece(whole, lead, context)
                lead = context.lead
                group = [*bound, block]
                if self._fits(self._piece(group, lead, context)):
                    continue
            else:
                group = [*bound, block]
            yield from self._parts(block, group[0].start, self._announcement(group[:-1]), lead, context)
            lead, group = context.lead, []
        if group:
            yield self._piece(group, lead, context)

    def _parts(
        self, block: Block, start: int, announced: str, lead: str, context: _Context
    ) -> Iterator[Piece]:
        """A block that does not fit; its first piece starts where what binds to it does."""
        if not block.parts:
            yield from self._split_text(block, start, lead, context)
            return
        inner = context
        if block.name == INDENTED and start == block.start:
            lead = lead or block.lead
        if block.form in _CARRIED:
            inner = replace(context, lead=self._bounded(f"{context.lead}{announced}", block.lead, context))
        if block.form == "definition" and block.name:
            inner = replace(context, terms=(*context.terms, block.name))
        first, *others = block.parts
        pieces = self._pieces([replace(first, start=start), *others], lead, inner)
        for at, piece in enumerate(pieces):
            begins = block.form == "definition" and at == 0 and len(piece.terms) == len(inner.terms)
            yield replace(piece, begins=True) if begins else piece

    def _split_text(self, block: Block, start: int, lead: str, context: _Context) -> Iterator[Piece]:
        whole = Piece(start, block.end, lead, context.terms)
        for at, (piece_start, piece_end) in enumerate(self._split(whole, block.start)):
            yield replace(whole, start=piece_start, end=piece_end, lead=lead if at == 0 else context.lead)

    def _piece(self, group: Sequence[Block], lead: str, context: _Context) -> Piece:
        if not lead and all(block.name == INDENTED for block in group):
            lead = group[0].lead
        return Piece(group[0].start, group[-1].end, lead, context.terms)

    def _announcement(self, binders: Sequence[Block]) -> str:
        """What announces a list or table, for those of its pieces that stand further below."""
        last = binders[-1] if binders else None
        if last is None or last.form != "text":
            return ""
        return f"{self._text[last.start : last.end].strip()}\n\n"

    def _bounded(self, announced: str, lead: str, context: _Context) -> str:
        """A lead leaves room for what it leads to; the announcement goes before the header does."""
        for tried in (announced + lead, lead):
            if tried and self._fits(Piece(0, 0, tried * 2, context.terms)):
                return tried
        return ""


def _without_binders(group: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    at = len(group)
    while at and group[at - 1].binds:
        at -= 1
    return list(group[:at]), list(group[at:])
