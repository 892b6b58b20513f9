"""Commands that measure: eval, compare, calibrate, tune, questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

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
    from rag.cli.measured import render_evaluation
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.evaluate import Options, evaluate, summary_json
    from rag.evaluation.report import evaluation_page, write_report
    from rag.settings import Settings

    data = Dataset.load(dataset, split)
    options = Options(sample, seed, k, effect, not no_answers, indexes)
    folder = out or Path("runs/eval") / data.name / config.stem
    with showing_progress(quiet=as_json) as progress:
        found = evaluate(Settings.load(config), str(config), data, folder, options, progress)
        write_report(evaluation_page(found), folder)
    print_json(summary_json(found)) if as_json else render_evaluation(summary_json(found))
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
    from rag.cli.measured import render_comparison
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.errors import InputError
    from rag.evaluation.compare import compare as compare_configs
    from rag.evaluation.compare import comparison_json
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.evaluate import Options
    from rag.evaluation.report import comparison_page, write_report

    *configs, dataset = files
    if len(configs) < 2:
        raise InputError("compare needs two configs or more, and last the dataset: rag compare A B DATASET")
    data = Dataset.load(dataset, split)
    options = Options(sample, seed, k, effect, not no_answers, indexes)
    folder = out or Path("runs/compare") / data.name
    with showing_progress(quiet=as_json) as progress:
        found = compare_configs(configs, data, folder, options, progress)
        write_report(comparison_page(found), folder)
    print_json(comparison_json(found)) if as_json else render_comparison(comparison_json(found))
    if found.refused:
        raise typer.Exit(1)
