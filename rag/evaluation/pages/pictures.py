"""The pictures of a report, by matplotlib: each as SVG and PNG, and as SVG that takes its page's colours.

Every picture comes with a sentence that says what it shows and with its numbers as a table, for
those who cannot see it.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.evaluation.reliability import Bin

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Sequence[str | float | int]

# Each colour stands for a variable of the page, by which it is replaced: dark on a dark page. They
# differ from one another in brightness too, for eyes that do not tell red from green.
INK, SOFT, GRID, FILL = "#1c2733", "#5b6876", "#dfe3e6", "#ffffff"
BEFORE, AFTER, GOOD, BAD = "#b26a00", "#1f5f8b", "#17693f", "#a3261b"
_VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    GRID: "--line",
    FILL: "--card",
    BEFORE: "--before",
    AFTER: "--after",
    GOOD: "--good",
    BAD: "--bad",
}
_STYLE: dict[Any, Any] = {  # the names are matplotlib's
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and enlarged
    "svg.hashsalt": "rag",  # the same picture gives the same file
    "text.parse_math": False,  # a $ in a file's name is a $
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.facecolor": FILL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "figure.facecolor": FILL,
    "figure.dpi": 100,
    "legend.frameon": False,
}
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_REFERENCE = re.compile(r'(\bid="|href="#|url\(#)')


@dataclass(frozen=True, slots=True)
class Picture:
    """`svg` is a file of its own; `inline` stands in a page and takes the page's colours."""

    name: str
    title: str
    description: str
    svg: str
    inline: str
    figure: Figure
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def png(self) -> bytes:
        """Drawn when it is asked for: a page has no use for it."""
        written = io.BytesIO()
        with _styled():
            self.figure.savefig(written, format="png", dpi=150, metadata={"Software": None})
        return written.getvalue()


@dataclass(frozen=True, slots=True)
class Point:
    """A mean with its interval."""

    label: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """A candidate's way: `why` in words, `relevant` where somebody has judged it so."""

    label: str
    before: int
    after: int
    relevant: bool
    why: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A system: quality, and milliseconds a question (median and 95th percentile)."""

    label: str
    quality: float
    median: float
    high: float


def means(name: str, title: str, metric: str, points: Sequence[Point]) -> Picture:
    def draw(axes: Axes) -> None:
        places = list(range(len(points), 0, -1))
        for place, point, colour in zip(places, points, _colours(len(points)), strict=True):
            axes.plot([point.low, point.high], [place, place], color=colour, linewidth=3)
            axes.plot([point.mean], [place], "o", color=colour, markersize=9)
            axes.annotate(
                f"{point.mean:.3f}", (point.mean, place), (0, 9), textcoords="offset points", ha="center"
            )
        axes.set_yticks(places, [_short(point.label, 30) for point in points])
        axes.set_ylim(0.4, len(points) + 0.7)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(f"{metric}, mean and 95% interval")

    text = "; ".join(f"{p.label} {p.mean:.3f} ({p.low:.3f} to {p.high:.3f})" for p in points)
    rows = [(p.label, _number(p.mean), _number(p.low), _number(p.high)) for p in points]
    return _picture(
        name,
        title,
        f"{metric}: {text}.",
        draw,
        ("", metric, "from", "to"),
        rows,
        0.9 + 0.6 * len(points),
    )


def differences(name: str, title: str, metric: str, points: Sequence[Point]) -> Picture:
    def draw(axes: Axes) -> None:
        places = list(range(len(points), 0, -1))
        axes.axvline(0, color=INK, linewidth=1)
        for place, point in zip(places, points, strict=True):
            colour = GOOD if point.low > 0 else BAD if point.high < 0 else SOFT
            axes.plot([point.low, point.high], [place, place], color=colour, linewidth=3)
            axes.plot([point.mean], [place], "o", color=colour, markersize=9)
        axes.set_yticks(places, [_short(point.label, 30) for point in points])
        axes.set_ylim(0.4, len(points) + 0.7)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(f"gain in {metric}, 95% interval")

    text = "; ".join(f"{p.label} {p.mean:+.3f} ({p.low:+.3f} to {p.high:+.3f})" for p in points)
    rows = [(p.label, _signed(p.mean), _signed(p.low), _signed(p.high)) for p in points]
    return _picture(
        name,
        title,
        f"Gain in {metric}: {text}.",
        draw,
        ("", "gain", "from", "to"),
        rows,
        0.9 + 0.6 * len(points),
    )


def bump(name: str, title: str, question: str, lines: Sequence[Line]) -> Picture:
    """Who moved where: the first stage's place on the left, the place after reranking on the right."""

    def draw(axes: Axes) -> None:
        lowest = max(max(line.before, line.after) for line in lines)
        for line in lines:
            rose, fell = line.after < line.before, line.after > line.before
            colour = GOOD if rose else BAD if fell else SOFT
            width, style = (3.0, "-") if line.relevant else (1.3, "--" if fell else "-")
            axes.plot(
                [0, 1],
                [line.before, line.after],
                style,
                color=colour,
                linewidth=width,
                marker="o",
                markersize=5,
            )
            mark = "★ " if line.relevant else ""
            axes.annotate(
                f"{mark}{_short(line.label, 30)}",
                (1, line.after),
                (8, 0),
                textcoords="offset points",
                va="center",
                fontsize=10,
            )
        axes.set_xlim(-0.08, 2.0)
        axes.set_ylim(lowest + 0.8, 0.2)
        axes.set_xticks([0, 1], ["first stage", "reranked"])
        axes.set_ylabel("place")
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)

    text = "; ".join(
        f"{line.label} from place {line.before} to {line.after}{' (relevant)' if line.relevant else ''}"
        for line in lines
    )
    rows = [
        (line.label, line.before, line.after, "yes" if line.relevant else "no", line.why) for line in lines
    ]
    columns = ("document", "first stage", "reranked", "relevant", "why")
    return _picture(name, title, f"“{question}”: {text}.", draw, columns, rows, 1.2 + 0.32 * _rows_of(lines))


def gains(name: str, title: str, metric: str, rows: Sequence[tuple[str, float, float]], axis: str) -> Picture:
    """Each question's gain over what it had before."""

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=1)
        for colour, mark, chosen in (
            (GOOD, "^", [row for row in rows if row[2] > row[1]]),
            (SOFT, "o", [row for row in rows if row[2] == row[1]]),
            (BAD, "v", [row for row in rows if row[2] < row[1]]),
        ):
            axes.plot(
                [row[1] for row in chosen],
                [row[2] - row[1] for row in chosen],
                mark,
                color=colour,
                markersize=6,
                alpha=0.7,
                label=f"{ {'^': 'better', 'o': 'the same', 'v': 'worse'}[mark] } ({len(chosen)})",
            )
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel(f"{metric} {axis}")
        axes.set_ylabel(f"gain in {metric}")
        axes.legend(loc="best")

    better, worse = sum(r[2] > r[1] for r in rows), sum(r[2] < r[1] for r in rows)
    same = len(rows) - better - worse
    text = f"Of {len(rows)} questions {better} gained, {worse} lost and {same} stayed the same."
    table = [(id_, _number(was), _number(is_), _signed(is_ - was)) for id_, was, is_ in rows]
    return _picture(name, title, text, draw, ("question", "before", "after", "gain"), table, 3.6)


def reliability(name: str, title: str, bins: Sequence[Bin], error: float, threshold: float) -> Picture:
    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], ":", color=SOFT, label="perfect")
        axes.plot(
            [b.predicted for b in bins], [b.observed for b in bins], "-o", color=AFTER, label="observed"
        )
        axes.axvline(threshold, color=BAD, linestyle="--", label=f"threshold {threshold:.3g}")
        for shown in bins:
            axes.annotate(
                f"{shown.count:,}",
                (shown.predicted, shown.observed),
                (5, -11),
                textcoords="offset points",
                fontsize=10,
                color=SOFT,
            )
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.05)
        axes.set_xlabel("relevance that was predicted")
        axes.set_ylabel("share that was relevant")
        axes.legend(loc="lower right")

    text = (
        f"Expected calibration error {error:.3f}; threshold {threshold:.3g}. "
        + "; ".join(
            f"of {b.count:,} passages with relevance about {b.predicted:.2f}, {b.observed:.0%} are relevant"
            for b in bins
        )
        + "."
    )
    rows = [(_number(b.predicted), _number(b.observed), b.count) for b in bins]
    return _picture(name, title, text, draw, ("predicted", "observed", "passages"), rows, 3.8)


def answer_rates(name: str, title: str, curve: Sequence[tuple[float, float, float]]) -> Picture:
    """What each threshold costs: answers lost on the one axis, false answers on the other."""

    def draw(axes: Axes) -> None:
        axes.plot([point[2] for point in curve], [point[1] for point in curve], color=AFTER)
        axes.plot([0, 1], [0, 1], ":", color=SOFT)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("answered of those without an answer")
        axes.set_ylabel("answered of those with one")

    shown = _strictest(curve)
    text = "; ".join(
        f"to answer {able:.0%}, {unable:.0%} of the others are answered too" for _, able, unable in shown
    )
    rows = [(f"{t:.4f}", _number(able), _number(unable)) for t, able, unable in shown]
    columns = ("threshold", "answered", "answered falsely")
    return _picture(name, title, f"{text}.", draw, columns, rows, 3.6)


def _strictest(curve: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """For each of some answer rates the strictest threshold that reaches it."""
    wanted = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
    reached = [[point for point in curve if point[1] >= rate] for rate in wanted]
    return list(dict.fromkeys(points[-1] for points in reached if points))


def latency(name: str, title: str, metric: str, spots: Sequence[Spot]) -> Picture:
    def draw(axes: Axes) -> None:
        for turn, (spot, colour) in enumerate(zip(spots, _colours(len(spots)), strict=True)):
            axes.plot([spot.median, spot.high], [spot.quality] * 2, color=colour, linewidth=1.5)
            axes.plot([spot.median], [spot.quality], "o", color=colour, markersize=9)
            axes.annotate(
                _short(spot.label, 30),
                (spot.median, spot.quality),
                (6, -16 if turn % 2 else 8),  # of two that lie close neither hides the other's name
                textcoords="offset points",
            )
        axes.set_xlim(left=0, right=max(spot.high for spot in spots) * 1.25 or 1)
        axes.margins(y=0.3)
        axes.set_xlabel("ms a question, median to 95th percentile")
        axes.set_ylabel(metric)

    text = "; ".join(
        f"{s.label} {s.quality:.3f} in {s.median:.0f} ms (95th percentile {s.high:.0f})" for s in spots
    )
    rows = [(s.label, _number(s.quality), f"{s.median:.1f}", f"{s.high:.1f}") for s in spots]
    columns = ("", metric, "median, ms", "95th percentile, ms")
    return _picture(name, title, f"{metric} against time: {text}.", draw, columns, rows, 3.2)


def pareto(
    name: str,
    title: str,
    metric: str,
    tried: Sequence[tuple[float, float]],
    front: Sequence[tuple[str, float, float]],
    budget: float,
) -> Picture:
    def draw(axes: Axes) -> None:
        axes.plot([ms for ms, _ in tried], [q for _, q in tried], ".", color=SOFT, alpha=0.4, label="tried")
        axes.plot([f[1] for f in front], [f[2] for f in front], "-o", color=AFTER, label="front")
        if budget <= 1.3 * max(ms for ms, _ in tried):
            axes.axvline(budget, color=BAD, linestyle="--", label=f"budget {budget:g} ms")
        axes.set_xlim(left=0)
        axes.set_xlabel("milliseconds a search, median")
        axes.set_ylabel(metric)
        axes.legend(loc="lower right")

    text = "; ".join(f"{label}: {quality:.3f} in {ms:.0f} ms" for label, ms, quality in front)
    rows = [(label, f"{ms:.1f}", _number(quality)) for label, ms, quality in front]
    return _picture(name, title, f"The front: {text}.", draw, ("setting", "ms", metric), rows, 3.6)


def save(pictures: Sequence[Picture], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (folder / f"{picture.name}.svg").write_text(picture.svg, "utf-8")
        (folder / f"{picture.name}.png").write_bytes(picture.png())


def _picture(
    name: str,
    title: str,
    description: str,
    draw: Callable[[Axes], None],
    columns: tuple[str, ...],
    rows: Sequence[Row],
    height: float,
) -> Picture:
    with _styled() as new_figure:
        figure = new_figure(figsize=(5.2, height), layout="constrained")
        draw(figure.add_subplot())
        svg = _svg(figure)
    inline = _inline(svg, name, f"{title}. {description}")
    return Picture(name, title, description, svg, inline, figure, columns, tuple(rows))


@contextmanager
def _styled() -> Iterator[partial[Figure]]:
    """matplotlib takes 0.3 s to import, which other commands need not wait for."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A name in letters that the picture's font lacks shows as boxes in the PNG, and that is all.
        warnings.filterwarnings("ignore", message="Glyph")
        yield partial(Figure)


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    # Without a date and a version in it, the same picture is the same file.
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(written, format="svg", metadata=nothing)
    return written.getvalue()


def _inline(svg: str, name: str, spoken: str) -> str:
    """For the inside of a page: its colours by variable, as wide as there is room, and ids of its own."""
    found = _PROLOGUE.sub("", svg)
    found = re.sub(r' (?:width|height)="[\d.]+pt"', "", found, count=2)
    found = _REFERENCE.sub(rf"\g<1>{name}-", found)
    found = found.replace("<svg ", f'<svg role="img" aria-label="{escape(spoken)}" ', 1)
    for colour, variable in _VARIABLES.items():
        found = found.replace(colour, f"var({variable})")
    return found


def _colours(count: int) -> list[str]:
    return [BEFORE, *[AFTER] * (count - 1)]


def _rows_of(lines: Sequence[Line]) -> int:
    return min(30, max(max(line.before, line.after) for line in lines))


def _short(text: str, most: int) -> str:
    """The end of a path tells more than its beginning."""
    if len(text) <= most:
        return text
    return textwrap.shorten(text, most, placeholder="…") if " " in text else f"…{text[1 - most :]}"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
