"""The best settings within a time: chosen by one half of the questions, judged by the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rag.api import Rag
from rag.calibration import Calibration
from rag.errors import InputError
from rag.evaluation.answers import AnswersSummary
from rag.evaluation.dataset import Dataset
from rag.evaluation.evaluate import evaluate, open_for
from rag.evaluation.fitting import round_off
from rag.evaluation.metrics import Scores
from rag.evaluation.naming import naming
from rag.evaluation.scoring import Evaluation, Options
from rag.evaluation.statistics import Difference, difference
from rag.evaluation.trials import (
    Arm,
    Known,
    Trial,
    fit_ways,
    front,
    look_up,
    measure_times,
    rank_known,
    trials,
)
from rag.evaluation.verdict import Verdict, judge
from rag.files.given import read_yaml
from rag.protocols import Progress
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.none import NoneSettings
from rag.second_stage.fitted import CalibrationFile
from rag.selection import Rule, keep_by_relevance
from rag.settings import Settings

_FEWEST = 20
# Of the front so many are run on the other half; the chosen one is among them.
_JUDGED = 4
_RATIOS = (None, 0.1, 0.2, 0.3, 0.5, 0.7)
# A threshold may cost so many of the questions with an answer their best relevant passage, no more.
_QUANTILES = (0.0, 0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class Cut:
    """threshold and ratio, and how well they choose: F2 of the documents used, the mean over questions.
    A question without an answer counts 1 where nothing is used."""

    threshold: float
    ratio: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """`judged`: the front, each really run on the questions that chose nothing; `baseline`: the config as it
    is, on the same."""

    config: str
    dataset: Dataset
    budget_ms: float
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    chosen: Trial
    cut: Cut
    baseline: Evaluation
    judged: Mapping[str, Evaluation]
    gain: Difference
    verdict: Verdict
    path: Path


def tune(
    settings: Settings,
    config: Path,
    others: Sequence[Settings],
    dataset: Dataset,
    budget_ms: float,
    out: Path,
    options: Options,
    progress: Progress,
) -> Tuned:
    """`others` bring rerankers to try beside the config's own and none."""
    train, test = dataset.split(options.seed)
    _check(train, test)
    _check_first_stage(settings)
    rag = open_for(settings, dataset, options.indexes, progress)
    named = naming((source for source, _ in rag.assembly.index.catalog.sources()), dataset.judged)
    choices = _rerankers([settings, *others])
    arms = [_arm(name, rag, reranker) for name, reranker in choices.items()]
    index, pipeline = rag.assembly.index, rag.pipeline
    known = look_up(pipeline, index, arms, train, named, progress)
    ways = {arm.name: fit_ways(known, arm) for arm in arms}
    times = measure_times(pipeline, index, arms, train.questions)
    tried = trials(known, arms, ways, times, options.k)
    best = front(tried)
    chosen = choose(best, budget_ms)
    cuts = _Cuts(known, {arm.name: arm for arm in arms}, ways, settings)
    writer = _Writer(config, rag, choices, ways, train)
    written = {
        trial: writer.write(out / f"front-{number}", trial, cuts.best(trial))
        for number, trial in enumerate(_few(best, chosen), start=1)
    }
    search = Options(None, options.seed, options.k, options.effect, False, options.indexes)
    baseline = evaluate(settings, str(config), test, out / "as-configured", search, progress)
    judged = {
        trial.label: evaluate(Settings.load(path), str(path), test, path.parent, search, progress)
        for trial, path in written.items()
    }
    name = baseline.metric
    gain = difference(
        [one.after[name] for one in baseline.ranked],
        [one.after[name] for one in judged[chosen.label].ranked],
        options.seed,
    )
    return Tuned(
        config=str(config),
        dataset=dataset,
        budget_ms=budget_ms,
        trials=tuple(tried),
        front=tuple(best),
        chosen=chosen,
        cut=cuts.best(chosen),
        baseline=baseline,
        judged=judged,
        gain=gain,
        verdict=judge(gain, gain.p, name, options.effect),
        path=written[chosen],
    )


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """`train`, `test`: nDCG on the half that chose and on the half that judged, if it was run there."""

    label: str
    mode: str
    depth: int
    rrf_k: int
    reranker: str
    evidence: str
    train: float
    test: float | None
    ms: float


@dataclass(frozen=True, slots=True)
class ChosenSummary(TrialSummary):
    threshold: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class BeforeAndAfter:
    before: AnswersSummary
    after: AnswersSummary


@dataclass(frozen=True, slots=True)
class TuningSummary:
    """A tuning in figures: what is printed, and what `--json` says."""

    dataset: str
    config: str
    questions: int
    synthetic: int
    budget_ms: float
    tried: int
    front: tuple[TrialSummary, ...]
    chosen: ChosenSummary
    before: Scores
    after: Scores
    answers: BeforeAndAfter
    verdict: Verdict
    path: str


def summarise_tuning(found: Tuned) -> TuningSummary:
    judged, cut = found.judged[found.chosen.label], found.cut
    chosen = asdict(_summarise_trial(found.chosen, found))
    return TuningSummary(
        dataset=found.dataset.name,
        config=found.config,
        questions=len(found.dataset.questions),
        synthetic=found.dataset.synthetic,
        budget_ms=found.budget_ms,
        tried=len(found.trials),
        front=tuple(_summarise_trial(trial, found) for trial in found.front),
        chosen=ChosenSummary(**chosen, threshold=cut.threshold, ratio=cut.ratio),
        before=found.baseline.means("after"),
        after=judged.means("after"),
        answers=BeforeAndAfter(found.baseline.answers(), judged.answers()),
        verdict=found.verdict,
        path=str(found.path),
    )


def _summarise_trial(trial: Trial, found: Tuned) -> TrialSummary:
    judged = found.judged.get(trial.label)
    return TrialSummary(
        label=trial.label,
        mode=trial.mode,
        depth=trial.depth,
        rrf_k=trial.rrf_k,
        reranker=trial.reranker,
        evidence=trial.evidence,
        train=trial.quality,
        test=judged.means("after")[judged.metric] if judged else None,
        ms=round(trial.ms, 3),
    )


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Threshold and ratio for a ranking, chosen on the same questions as the ranking."""

    known: Sequence[Known]
    arms: Mapping[str, Arm]
    ways: Mapping[str, Mapping[str, Calibration]]
    settings: Settings

    def best(self, trial: Trial) -> Cut:
        rows = [self._row(one, trial) for one in self.known]
        bests = [max(right) for row in rows if (right := _right(*row))]
        # Rounded down: the question at the border is kept.
        low = sorted(
            {float(np.floor(np.quantile(bests, q, method="lower") * 1e4) / 1e4) for q in _QUANTILES if bests}
        )
        cuts = [Cut(t, r, self._score(rows, t, r)) for t in (0.0, *low) for r in _RATIOS]
        # Of equally good ones the laxest: what is dropped is lost.
        return max(cuts, key=lambda cut: (round(cut.score, 4), -cut.threshold, -(cut.ratio or 0.0)))

    def _row(self, one: Known, trial: Trial) -> tuple[list[float], list[str], set[str]]:
        arm, fitted = self.arms[trial.reranker], self.ways[trial.reranker][trial.evidence]
        order = rank_known(one, arm, fitted, trial.mode, trial.depth, trial.rrf_k)
        relevance = fitted.relevances(one.features[arm.name][order]).tolist()
        wanted = {name for name, grade in one.question.relevant.items() if grade > 0}
        return relevance, [one.documents[i] for i in order], wanted

    def _score(
        self, rows: Sequence[tuple[list[float], list[str], set[str]]], threshold: float, ratio: float | None
    ) -> float:
        rule = Rule(self.settings.reranker.top_k, threshold, ratio)
        used = [
            {documents[i] for i in keep_by_relevance(relevance, rule)} for relevance, documents, _ in rows
        ]
        return float(np.mean([_f2(mine, wanted) for mine, (_, _, wanted) in zip(used, rows, strict=True)]))


def _right(relevance: Sequence[float], documents: Sequence[str], wanted: set[str]) -> list[float]:
    return [value for value, name in zip(relevance, documents, strict=True) if name in wanted]


def _f2(used: set[str], wanted: set[str]) -> float:
    """A missing document is worse than one too many."""
    if not wanted:
        return float(not used)
    hit = len(used & wanted)
    return 5 * hit / (4 * len(wanted) + len(used)) if hit else 0.0


def _check(train: Dataset, test: Dataset) -> None:
    fewest = min(len(train.labelled), len(test.labelled))
    if fewest < _FEWEST:
        raise InputError(
            f"tuning needs {_FEWEST} labelled questions to choose by and as many to judge by; each half of "
            f"{train.name} has {fewest}. `rag questions` drafts some from the documents"
        )


def _check_first_stage(settings: Settings) -> None:
    if not settings.retriever.own:
        raise InputError(
            f"retriever {settings.retriever.kind} searches elsewhere: tuning chooses among searches of an "
            "index of one's own"
        )


def _rerankers(settings: Sequence[Settings]) -> dict[str, AnyRerankerSettings]:
    """By a name that tells them apart; none is always among them, for what reranking itself is worth."""
    found: dict[str, AnyRerankerSettings] = {}
    for reranker in [*(one.reranker for one in settings), NoneSettings(kind="none")]:
        model = getattr(reranker, "model", None)
        name = f"{reranker.kind} {model}" if model else reranker.kind
        found.setdefault(name, reranker)
    return found


def _arm(name: str, rag: Rag, reranker: AnyRerankerSettings) -> Arm:
    settings = rag.settings.model_copy(update={"reranker": reranker})
    pipeline = Rag(settings).pipeline
    return Arm(name, pipeline.reranker, pipeline.calibration)


def choose(best: Sequence[Trial], budget_ms: float) -> Trial:
    within = [trial for trial in best if trial.ms <= budget_ms]
    if not within:
        raise InputError(
            f"nothing answers within --budget-ms {budget_ms:g}: the fastest takes {best[0].ms:.0f} ms "
            f"({best[0].label})"
        )
    # The third decimal is noise: of what is equally good, the fastest.
    return max(within, key=lambda trial: (round(trial.quality, 3), -trial.ms))


def _few(best: Sequence[Trial], chosen: Trial) -> list[Trial]:
    """The chosen one, and others spread over the front."""
    if len(best) <= _JUDGED:
        return list(best)
    places = {round(i * (len(best) - 1) / (_JUDGED - 1)) for i in range(_JUDGED)}
    return [trial for i, trial in enumerate(best) if i in places or trial == chosen]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes a trial as a config: the user's own with what was chosen put in, and its calibration."""

    config: Path
    rag: Rag
    choices: Mapping[str, AnyRerankerSettings]
    ways: Mapping[str, Mapping[str, Calibration]]
    train: Dataset

    def write(self, folder: Path, trial: Trial, cut: Cut) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        content = read_yaml(self.config, "config") or {}
        reranker = self.choices[trial.reranker]
        section = {**_given(reranker), "threshold": cut.threshold}
        if cut.ratio is not None:
            section["ratio"] = cut.ratio
        if trial.evidence != "as configured":
            section["calibration"] = str(folder / "calibration.yaml")
            (folder / "calibration.yaml").write_text(self._calibration(reranker, trial).yaml(""), "utf-8")
        content["retriever"] = {"kind": trial.mode, "top_n": trial.depth, "rrf_k": trial.rrf_k}
        content["reranker"] = section
        path = folder / "config.yaml"
        head = f"# Made by `rag tune {self.config}`: {trial.label}.\n"
        path.write_text(
            head + yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True), "utf-8"
        )
        return path

    def _calibration(self, reranker: AnyRerankerSettings, trial: Trial) -> CalibrationFile:
        settings = self.rag.settings
        retriever = settings.retriever.model_copy(update={"kind": trial.mode})
        assembly = Rag(settings.model_copy(update={"reranker": reranker, "retriever": retriever})).assembly
        fitted = replace(
            round_off(self.ways[trial.reranker][trial.evidence]),
            transform=assembly.pipeline.calibration.transform,
            fitted_on=f"{len(self.train.questions)} questions of {self.train.name}",
        )
        card = assembly.pipeline.reranker.card
        return CalibrationFile.of(card, fitted, assembly.scored_with(reranker))


def _given(reranker: AnyRerankerSettings) -> dict[str, Any]:
    """A reranker's section as somebody wrote it: without the defaults, and without the key."""
    dumped = reranker.model_dump(mode="json", exclude={"api_key"}, exclude_none=True)
    return {key: value for key, value in dumped.items() if key == "kind" or key in reranker.model_fields_set}
