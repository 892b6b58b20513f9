"""The page that compares two configs."""

from __future__ import annotations

from collections.abc import Iterator

from rag.evaluation.compare import Comparison, Pair
from rag.evaluation.pages import pictures
from rag.evaluation.pages.page import (
    MOODS,
    Page,
    Section,
    Table,
    answer_rows,
    made_by,
    milliseconds,
    subtitle,
    times,
    warnings_of,
    with_interval,
)
from rag.evaluation.pages.pictures import Point, Spot


def comparison_page(comparison: Comparison) -> Page:
    verdict, baseline = comparison.verdict, comparison.baseline
    refused = [f"{one.config} was refused: {one.reason}" for one in comparison.refused]
    return Page(
        title=f"rag compare on {baseline.dataset.name}",
        subtitle=subtitle(baseline),
        headline=verdict.word.capitalize(),
        verdict=verdict.text,
        mood=MOODS[verdict.word],
        warnings=[*refused, *warnings_of(comparison.arms)],
        facts=[
            ("Questions", f"{len(baseline.ranked)}", "whose ranking can be judged"),
            *(
                (arm.config, f"{arm.means('after')[baseline.metric]:.3f}", baseline.metric)
                for arm in comparison.arms
            ),
        ],
        sections=[*_comparison_sections(comparison), *_pair_sections(comparison)],
    )


def _comparison_sections(comparison: Comparison) -> list[Section]:
    baseline, arms = comparison.baseline, comparison.arms
    metric = baseline.metric
    found = [(arm.config, arm.interval("after")) for arm in arms]
    points = [Point(config, i.mean, i.low, i.high) for config, i in found]
    sections = [
        Section(
            f"{metric} of each",
            picture=pictures.means("means", f"{metric} of each config", metric, points),
        )
    ]
    if comparison.pairs:
        gains = [
            Point(p.config, p.differences[metric].mean, p.differences[metric].low, p.differences[metric].high)
            for p in comparison.pairs
        ]
        text = (
            f"Held against {baseline.config}, question by question. p is corrected, by Holm's procedure, for "
            f"there being several. A gain below {baseline.options.effect:g} would not be worth a change."
        )
        picture = pictures.differences("differences", "Gain over the first config", metric, gains)
        sections.append(Section("Gain over the first", [text], picture, _differences(comparison)))
    spots = [Spot(arm.config, arm.means("after")[metric], *milliseconds(arm, _ALL)) for arm in arms]
    sections += [
        Section(
            "Quality against time", picture=pictures.latency("latency", "Quality against time", metric, spots)
        ),
        Section("Answers", table=answer_rows(arms)),
        Section("Time and cost", table=times(arms)),
        Section("What made this", table=made_by(arms)),
    ]
    return sections


_ALL = ("encode", "retrieve", "rerank", "select", "generate")


def _pair_sections(comparison: Comparison) -> Iterator[Section]:
    """Win, tie and loss, and the questions that moved most."""
    for number, pair in enumerate(comparison.pairs, start=2):
        yield _pair_section(pair, comparison.baseline.metric, f"gains-{number}")


def _pair_section(pair: Pair, metric: str, name: str) -> Section:
    rows = [(move.id, move.baseline, move.other) for move in pair.moves]
    picture = pictures.gains(
        name, f"Each question's gain by {pair.config}", metric, rows, "with the first config"
    )
    moved = [(m.text, f"{m.baseline:.3f}", f"{m.other:.3f}", f"{m.gain:+.3f}", m.id) for m in pair.moved]
    columns = ("question", "first", "this", "gain", "id")
    table = Table("The questions that moved most", columns, moved) if moved else None
    return Section(f"{pair.config}: {pair.verdict.word}", [pair.verdict.text], picture, table)


def _differences(comparison: Comparison) -> Table:
    rows = [
        (
            f"{pair.config}: {name}",
            with_interval(found.mean, found.low, found.high),
            f"{found.p:.4f}",
            f"{pair.corrected[name]:.4f}",
            f"{found.wins} / {found.ties} / {found.losses}",
        )
        for pair in comparison.pairs
        for name, found in pair.differences.items()
    ]
    columns = ("", "gain (95% interval)", "p", "p, corrected", "win / tie / loss")
    return Table("Gain over the first config", columns, rows)
