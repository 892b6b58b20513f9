"""The command that trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import Json

if TYPE_CHECKING:
    from rag.training.reader import ReaderTraining

commands = typer.Typer()

NOT_BETTER = 4


@commands.command()
def train(
    config: Annotated[Path, typer.Argument(help="Settings in YAML.", metavar="CONFIG")],
    dataset: Annotated[
        Path | None,
        typer.Argument(
            help="Labelled questions: a folder in BEIR form, or a .jsonl file.", metavar="DATASET"
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which judgements: qrels/<split>.tsv.")] = "train",
    feedback: Annotated[
        Path | None,
        typer.Option("--feedback", help="What users said of answers, a line each.", metavar="FILE"),
    ] = None,
    synthetic: Annotated[
        int,
        typer.Option("--synthetic", min=0, help="Draft so many questions from the documents.", metavar="N"),
    ] = 0,
    out: Annotated[
        Path, typer.Option("--out", help="The model's folder, which the config names.", metavar="FOLDER")
    ] = Path("models/trained"),
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.01, help="The most that the training itself may take.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option("--epochs", min=0.01, help="How often each question is met; 3.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=1e-9, help="Of learning; 3e-5.")] = None,
    batch: Annotated[int | None, typer.Option("--questions", min=2, help="So many a step; 12.")] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=16, help="Of a passage, while training; 160.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the held-out parts, and of every draw.")] = 0,
    indexes: Annotated[
        Path,
        typer.Option(
            "--indexes", help="Where documents that come with a dataset are indexed.", metavar="FOLDER"
        ),
    ] = Path("runs/indexes"),
    plan: Annotated[bool, typer.Option("--plan", help="Tell what would be done, and stop.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Keep the model though it is not shown to be better.")
    ] = False,
    reader: Annotated[
        bool, typer.Option("--reader", help="Fit the reader, not the model that ranks; 10 minutes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit the config's model to your own questions; refuse it where it is not better. Resumes.

    Exit code 4: trained, but not shown to be better, and not installed.
    """
    from rag.cli.printing import print_json
    from rag.cli.progress import showing_progress
    from rag.cli.render_training import render_trained, render_training_plan
    from rag.contract import to_json
    from rag.evaluation.dataset import Dataset
    from rag.evaluation.summary import DIGITS
    from rag.settings import Settings
    from rag.training.options import Options
    from rag.training.plan import Plan
    from rag.training.reader import ReaderTraining
    from rag.training.recipe import Recipe
    from rag.training.train import Training
    from rag.training.trained import summarise_training

    def tell(made: Plan) -> None:
        if not as_json:
            render_training_plan(made)

    given = {"rate": rate, "epochs": epochs, "questions": batch, "tokens": tokens, "seed": seed}
    recipe = Recipe.of({name: value for name, value in given.items() if value is not None})
    options = Options(out, feedback, synthetic, minutes, force, indexes)
    with showing_progress(quiet=as_json) as progress:
        data = None if dataset is None else Dataset.load(dataset, split)
        if reader:
            _train_reader(ReaderTraining(Settings.load(config), data, seed, options, progress), as_json)
            return
        training = Training(Settings.load(config), str(config), data, recipe, options, progress)
        if plan:
            made = training.plan()
            print_json(to_json(made.summary())) if as_json else render_training_plan(made)
            return
        trained = training.run(tell)
    summary = summarise_training(trained)
    print_json(to_json(summary, DIGITS)) if as_json else render_trained(summary)
    if not trained.installed:
        raise typer.Exit(NOT_BETTER)


def _train_reader(training: ReaderTraining, as_json: bool) -> None:
    from rag.cli.printing import print_json
    from rag.cli.render_training import render_trained_reader
    from rag.contract import to_json
    from rag.evaluation.summary import DIGITS

    trained = training.run(lambda line: None)
    print_json(to_json(trained, DIGITS)) if as_json else render_trained_reader(trained)
    if not trained.installed:
        raise typer.Exit(NOT_BETTER)
