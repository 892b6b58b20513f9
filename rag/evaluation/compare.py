"""The same questions through several configs, and whether any is better than the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rag.errors import InputError
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate
from rag.evaluation.scoring import Evaluation, Options, check_judged, explain_flaws
from rag.evaluation.statistics import Difference, difference, holm
from rag.evaluation.summary import Summary, summarise
from rag.evaluation.verdict import Verdict, judge
from rag.protocols import Progress
from rag.settings import Settings

# The questions that moved most: enough to look into, few enough to read.
MOVED = 10


@dataclass(frozen=True, slots=True)
class Refused:
    """An arm that cannot be compared: what it says of some questions is another config's answer, or none."""

    config: str
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    id: str = field(metadata={"key": "_id"})
    text: str
    baseline: float
    other: float

    @property
    def gain(self) -> float:
        return self.other - self.baseline


@dataclass(frozen=True, slots=True)
class Pair:
    """One config against the first. `corrected`: each metric's p, for there being several configs."""

    config: str
    differences: Mapping[str, Difference]
    corrected: Mapping[str, float]
    verdict: Verdict
    moves: tuple[Move, ...]

    @property
    def moved(self) -> list[Move]:
        """Those that gained or lost most, the largest first."""
        changed = [move for move in self.moves if move.gain]
        return sorted(changed, key=lambda move: (-abs(move.gain), move.id))[:MOVED]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`arms`: the first is the one that the others are held against."""

    arms: tuple[Evaluation, ...]
    pairs: tuple[Pair, ...]
    refused: tuple[Refused, ...]
    folder: Path

    @property
    def baseline(self) -> Evaluation:
        return self.arms[0]

    @property
    def verdict(self) -> Verdict:
        """In a sentence: the best of those worth adopting; else what keeps us from it."""
        adopted = [pair for pair in self.pairs if pair.verdict.word == "adopt"]
        if adopted:
            best = max(adopted, key=lambda pair: pair.differences[self.baseline.metric].mean)
            return Verdict("adopt", f"adopt {best.config}: {best.verdict.text}")
        open_ = [pair for pair in self.pairs if pair.verdict.needed is not None]
        texts = "; ".join(f"{pair.config}: {pair.verdict.text}" for pair in open_ or self.pairs)
        if open_:
            return Verdict("not enough questions", texts, max(pair.verdict.needed or 0 for pair in open_))
        return Verdict("keep", f"keep {self.baseline.config}: {texts or 'no other config ran whole'}")


@dataclass(frozen=True, slots=True)
class CorrectedGain(Difference):
    """`p_corrected`: for there being several configs."""

    p_corrected: float


@dataclass(frozen=True, slots=True)
class PairSummary:
    config: str
    verdict: Verdict
    metrics: Mapping[str, CorrectedGain]
    moved: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """A comparison in figures: what is printed, and what `--json` says."""

    dataset: str
    questions: int
    ranked: int
    synthetic: int
    metric: str
    verdict: Verdict
    arms: tuple[Summary, ...]
    comparisons: tuple[PairSummary, ...]
    refused: tuple[Refused, ...]
    folder: str


def compare(
    configs: Sequence[Path], dataset: Dataset, out: Path, options: Options, progress: Progress
) -> Comparison:
    # All are read first: a misspelt key in the last must not show after an hour of asking.
    settings = [Settings.load(path) for path in configs]
    names = _names(configs)
    evaluations = [
        evaluate(each, name, dataset, out / f"{number}-{Path(name).stem}", options, progress)
        for number, (each, name) in enumerate(zip(settings, names, strict=True), start=1)
    ]
    return contrast(evaluations, out)


def contrast(evaluations: Sequence[Evaluation], folder: Path) -> Comparison:
    """Refuses the arms that did not run whole; the first must have."""
    flaws = {evaluation.config: explain_flaws(evaluation) for evaluation in evaluations}
    refused = tuple(Refused(config, flaw) for config, flaw in flaws.items() if flaw)
    baseline = evaluations[0]
    if flaw := flaws[baseline.config]:
        raise InputError(
            f"{baseline.config} did not answer every question by itself, so nothing can be held against it: "
            f"{flaw}"
        )
    check_judged(baseline)
    arms = [evaluation for evaluation in evaluations if not flaws[evaluation.config]]
    return Comparison(tuple(arms), tuple(_pairs(arms)), refused, folder)


def _pairs(arms: Sequence[Evaluation]) -> list[Pair]:
    baseline, *others = arms
    common = [name for name in baseline.means("after") if all(name in arm.means("after") for arm in others)]
    found = {
        (arm.config, name): difference(_values(baseline, name), _values(arm, name), baseline.options.seed)
        for arm in others
        for name in common
    }
    corrected = {
        name: dict(zip(others_names, holm([found[config, name].p for config in others_names]), strict=True))
        for name in common
        for others_names in [[arm.config for arm in others]]
    }
    return [
        Pair(
            config=arm.config,
            differences={name: found[arm.config, name] for name in common},
            corrected={name: corrected[name][arm.config] for name in common},
            verdict=judge(
                found[arm.config, baseline.metric],
                corrected[baseline.metric][arm.config],
                baseline.metric,
                baseline.options.effect,
                tests=len(others),
            ),
            moves=_moves(baseline, arm),
        )
        for arm in others
    ]


def _values(arm: Evaluation, metric: str) -> list[float]:
    return [one.after[metric] for one in arm.ranked]


def _moves(baseline: Evaluation, arm: Evaluation) -> tuple[Move, ...]:
    """Both were asked the same questions, in the same order."""
    metric = baseline.metric
    return tuple(
        Move(one.question.id, one.question.text, one.after[metric], other.after[metric])
        for one, other in zip(baseline.ranked, arm.ranked, strict=True)
    )


def summarise_comparison(comparison: Comparison) -> ComparisonSummary:
    baseline = comparison.baseline
    return ComparisonSummary(
        dataset=baseline.dataset.name,
        questions=len(baseline.scored),
        ranked=len(baseline.ranked),
        synthetic=baseline.dataset.synthetic,
        metric=baseline.metric,
        verdict=comparison.verdict,
        arms=tuple(summarise(arm) for arm in comparison.arms),
        comparisons=tuple(_summarise_pair(pair) for pair in comparison.pairs),
        refused=comparison.refused,
        folder=str(comparison.folder),
    )


def _summarise_pair(pair: Pair) -> PairSummary:
    metrics = {
        name: CorrectedGain(**asdict(found), p_corrected=pair.corrected[name])
        for name, found in pair.differences.items()
    }
    return PairSummary(pair.config, pair.verdict, metrics, tuple(pair.moved))


def _names(configs: Sequence[Path]) -> list[str]:
    """A config may be held against itself; then its second name tells them apart."""
    names: list[str] = []
    for path in configs:
        name, turn = str(path), 2
        while name in names:
            name, turn = f"{path} ({turn})", turn + 1
        names.append(name)
    return names
