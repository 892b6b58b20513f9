"""Commands about a config: run, plan, cache, config, doctor, models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import Config, Json, RunConfig, load_settings
from rag.cli.printing import echo, print_json

commands = typer.Typer()


@commands.command()
def run(config: RunConfig, as_json: Json = False) -> None:
    """Ingest the config's sources, ask its questions, write answers, run record and report. Resumes."""
    from rag.cli.progress import showing_progress
    from rag.cli.render import render_run
    from rag.runs.run import run as run_config

    with showing_progress(quiet=as_json) as progress:
        summary = run_config(load_settings(config, quiet=as_json), str(config), progress)
    print_json(asdict(summary)) if as_json else render_run(summary)
    if summary.failed:
        raise typer.Exit(1)


@commands.command()
def plan(config: RunConfig, as_json: Json = False) -> None:
    """Tell what a run would send to whom, in how many calls, for how much. Sends nothing."""
    from rag.cli.printing import console
    from rag.cli.render import render_costs
    from rag.runs.costs import costs_of_run

    costs = costs_of_run(load_settings(config, quiet=as_json))
    print_json(costs.as_json()) if as_json else render_costs(console(), costs)


@commands.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Forget all scores.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show how many reranking scores are kept (policy.cache), or forget them."""
    from rag.second_stage.score_store import open_store

    settings = load_settings(config, quiet=as_json)
    store = open_store(settings.store.path, settings.policy.cache_bytes)
    if clear:
        store.clear()
    found = store.status()
    if as_json:
        print_json(asdict(found))
    else:
        echo(f"{found.path}: {found.entries:,} scores, {found.bytes:,} bytes")


@commands.command("config")
def show_config(config: Config = None, as_json: Json = False) -> None:
    """Print the resolved settings, and where each value came from."""
    from rag.cli.found_config import find_config
    from rag.cli.printing import console
    from rag.cli.render import render_settings
    from rag.settings import resolved

    settings = load_settings(config, quiet=as_json)
    rows = list(resolved(settings, config or find_config(Path.cwd())))
    if as_json:
        print_json({key: {"value": value, "from": origin} for key, value, origin in rows})
    else:
        render_settings(console(), rows)


@commands.command()
def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read all of the index: are its parts whole, and do they agree?")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check that keys are there, models load, the index can be opened, and index and settings agree."""
    from rag.cli.printing import console
    from rag.cli.render import render_checks
    from rag.inspection.doctor import examine

    checks = examine(load_settings(config, quiet=as_json), deep)
    well = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": well, "checks": [check.as_json() for check in checks]})
    else:
        render_checks(console(), checks)
    if not well:
        raise typer.Exit(1)


@commands.command()
def models(
    config: Annotated[Path | None, typer.Argument(help="Settings in YAML.", metavar="CONFIG")] = None,
    as_json: Json = False,
) -> None:
    """Name every model in use: version, licence, size, hash, training data, what runs it. Loads none."""
    from rag.cli.printing import console
    from rag.cli.render import render_models
    from rag.inspection.models_in_use import models_in_use

    found = models_in_use(load_settings(config, quiet=as_json))
    if as_json:
        print_json({"models": [model.as_json() for model in found]})
    else:
        render_models(console(), found)
