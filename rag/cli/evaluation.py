"""Commands that measure: eval, compare, calibrate, tune, questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import Json

commands = typer.Typer()

Config = Annotated[Path, typer.Argument(help="Settings in YAML.", metavar="CONFIG")]
Data = Annotated[
    Path,
    typer.Argument(help="A folder in BEIR form, or with questions.jsonl; or such a file.", metavar="DATASET"),
]
Split = Annotated[str, typer.Option("--split", help="Which judgements: qrels/<split>.tsv.")]
Sample = Annotated[
    int | None, typer.Option("--sample", min=1, help="So many questions, drawn by the seed.", metavar="N")
]
Seed = Annotated[int, typer.Option("--seed", help="Of the sample, the tests and the intervals.")]
Places = Annotated[int, typer.Option("--k", min=1, help="Places that nDCG, recall and success look at.")]
Effect = Annotated[
    float, typer.Option("--effect", min=0.0001, help="The least gain that would be worth a change.")
]
NoAnswers = Annotated[bool, typer.Option("--no-answers", help="Search alone: the generator is not asked.")]
Indexes = Annotated[
    Path,
    typer.Option("--indexes", help="Where documents that come with a dataset are indexed.", metavar="FOLDER"),
]
Out = Annotated[Path | None, typer.Option("--out", help="Where results are written.", metavar="FOLDER")]

_INDEXES = Path("runs/indexes")


@commands.command("eval")
def evaluate(
    config: Config,
    dataset: Data,
    split: Split = "test",
    sample: Sample = None,
    seed: Seed = 0,
    k: Places = 10,
    effect: Effect = 0.02,
    no_answers: NoAnswers = False,
    indexes: Indexes = _INDEXES,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Measure ranking before and after reranking, answers, time and cost; write a report. Resumes."""
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_evaluation import render_evaluation
    from rag.contract import to_json
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.evaluate import evaluate
    from rag.evaluation.pages.one import evaluation_page
    from rag.evaluation.pages.page import write_report
    from rag.evaluation.scoring import Options
    from rag.evaluation.summary import DIGITS, summarise
    from rag.settings import Settings

    data = Dataset.load(dataset, split)
    options = Options(sample, seed, k, effect, not no_answers, indexes)
    folder = out or Path("runs/eval") / data.name / config.stem
    with showing_progress(quiet=as_json) as progress:
        found = evaluate(Settings.load(config), str(config), data, folder, options, progress)
        write_report(evaluation_page(found), folder)
    summary = summarise(found)
    print_json(to_json(summary, DIGITS)) if as_json else render_evaluation(summary)
    if found.failed:
        raise typer.Exit(1)


@commands.command()
def compare(
    files: Annotated[
        list[Path],
        typer.Argument(help="Two or more configs, and last the dataset.", metavar="A.yaml B.yaml… DATASET"),
    ],
    split: Split = "test",
    sample: Sample = None,
    seed: Seed = 0,
    k: Places = 10,
    effect: Effect = 0.02,
    no_answers: NoAnswers = False,
    indexes: Indexes = _INDEXES,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Ask several configs the same questions: is any better than the first? Tests, intervals, a verdict."""
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_evaluation import render_comparison
    from rag.contract import to_json
    from rag.errors import InputError
    from rag.evaluation.compare import compare as compare_configs
    from rag.evaluation.compare import summarise_comparison
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.pages.page import write_report
    from rag.evaluation.pages.several import comparison_page
    from rag.evaluation.scoring import Options
    from rag.evaluation.summary import DIGITS

    *configs, dataset = files
    if len(configs) < 2:
        raise InputError("compare needs two configs or more, and last the dataset: rag compare A B DATASET")
    data = Dataset.load(dataset, split)
    options = Options(sample, seed, k, effect, not no_answers, indexes)
    folder = out or Path("runs/compare") / data.name
    with showing_progress(quiet=as_json) as progress:
        found = compare_configs(configs, data, folder, options, progress)
        write_report(comparison_page(found), folder)
    summary = summarise_comparison(found)
    print_json(to_json(summary, DIGITS)) if as_json else render_comparison(summary)
    if found.refused:
        raise typer.Exit(1)


@commands.command()
def calibrate(
    config: Config,
    dataset: Data,
    precision: Annotated[
        float | None, typer.Option("--precision", min=0.0, max=1.0, help="Wished for among passages used.")
    ] = None,
    false_answers: Annotated[
        float | None,
        typer.Option(
            "--false-answers", min=0.0, max=1.0, help="Most that may be answered of unanswerable questions."
        ),
    ] = None,
    split: Split = "test",
    sample: Sample = None,
    seed: Seed = 0,
    indexes: Indexes = _INDEXES,
    out: Annotated[
        Path | None, typer.Option("--out", help="The calibration that is written.", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit relevance to your own questions, held to others of them; propose the threshold for a wish."""
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_evaluation import render_calibration
    from rag.contract import to_json
    from rag.errors import InputError
    from rag.evaluation.calibrate import calibrate as fit
    from rag.evaluation.calibrate import summarise_calibration, write
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.pages.calibration import calibration_page
    from rag.evaluation.pages.page import write_report
    from rag.evaluation.separation import Wish
    from rag.evaluation.summary import DIGITS
    from rag.settings import Settings

    if precision is not None and false_answers is not None:
        raise InputError("--precision and --false-answers each ask for a threshold of their own: choose one")
    data = Dataset.load(dataset, split).sample(sample, seed)
    path = out or Path(f"calibration-{config.stem}.yaml")
    wish = Wish(precision, false_answers)
    with showing_progress(quiet=as_json) as progress:
        found = fit(Settings.load(config), str(config), data, path, wish, seed, indexes, progress)
        write(found)
        folder = Path("runs/calibrate") / path.stem
        write_report(calibration_page(found), folder)
    summary = summarise_calibration(found)
    print_json(to_json(summary, DIGITS)) if as_json else render_calibration(summary, folder)


@commands.command()
def tune(
    config: Config,
    dataset: Data,
    budget_ms: Annotated[
        float, typer.Option("--budget-ms", min=1.0, help="Most that a search may take, in the median.")
    ],
    others: Annotated[
        list[Path] | None,
        typer.Option("--with", help="A config whose reranker is tried too; repeat for more.", metavar="FILE"),
    ] = None,
    split: Split = "test",
    sample: Sample = None,
    seed: Seed = 0,
    k: Places = 10,
    effect: Effect = 0.02,
    indexes: Indexes = _INDEXES,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Find the best settings within a time on one half of the questions, judge them on the other."""
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_evaluation import render_tuning
    from rag.contract import to_json
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.pages.page import write_report
    from rag.evaluation.pages.tuning import tuning_page
    from rag.evaluation.scoring import Options
    from rag.evaluation.summary import DIGITS
    from rag.evaluation.tune import summarise_tuning
    from rag.evaluation.tune import tune as search_settings
    from rag.settings import Settings

    data = Dataset.load(dataset, split).sample(sample, seed)
    options = Options(None, seed, k, effect, answers=False, indexes=indexes)
    folder = out or Path("runs/tune") / data.name
    settings, more = Settings.load(config), [Settings.load(path) for path in others or []]
    with showing_progress(quiet=as_json) as progress:
        found = search_settings(settings, config, more, data, budget_ms, folder, options, progress)
        write_report(tuning_page(found), folder)
    summary = summarise_tuning(found)
    print_json(to_json(summary, DIGITS)) if as_json else render_tuning(summary, folder)


@commands.command()
def questions(
    config: Config,
    count: Annotated[int, typer.Option("--count", min=1, help="How many.")] = 50,
    seed: Seed = 0,
    out: Annotated[
        Path, typer.Option("--out", help="The file to review, a question a line.", metavar="FILE")
    ] = Path("questions.jsonl"),
    as_json: Json = False,
) -> None:
    """Draft questions from the documents themselves, for people who have no labels. Review them."""
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_evaluation import render_drafts
    from rag.contract import to_json
    from rag.evaluation.drafting import draft, summarise_drafts
    from rag.settings import Settings

    with showing_progress(quiet=as_json) as progress:
        found = draft(Settings.load(config), count, seed, out, progress)
    summary = summarise_drafts(found)
    print_json(to_json(summary)) if as_json else render_drafts(summary)
