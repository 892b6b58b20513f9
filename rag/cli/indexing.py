"""Commands that make an index and look at it: ingest, status, remove, rebuild, backup, restore."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import Config, Json, open_rag
from rag.cli.printing import echo, print_json

if TYPE_CHECKING:
    from rag.api import Rag

commands = typer.Typer()

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however many documents go.")]

NoProgress = Annotated[bool, typer.Option("--no-progress", help="No bar, no lines of progress.")]

# Of the documents of an index.
_LARGE_SHARE = 0.1


@commands.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")],
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove documents under PATH whose file is gone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen, and stop: nothing is written.")
    ] = False,
    no_progress: NoProgress = False,
    yes: Yes = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with files and folders. What is unchanged is not read again."""
    from rag.cli.progress import showing_progress
    from rag.cli.render import render_plan_of_ingest, render_report
    from rag.contract import ingest_json

    rag = open_rag(config, quiet=as_json)
    if dry_run:
        would = rag.would_ingest(*paths, prune=prune)
        print_json({"dry_run": True, **ingest_json(would)}) if as_json else render_plan_of_ingest(would)
        return
    if prune and not (yes or as_json):
        _confirm(rag.would_prune(*paths), rag)
    with showing_progress(quiet=as_json or no_progress) as progress:
        report = rag.ingest(*paths, prune=prune, progress=progress)
    print_json(ingest_json(report)) if as_json else render_report(report)


@commands.command()
def status(
    sources: Annotated[bool, typer.Option("--sources", help="List the documents too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what the index holds."""
    from rag.cli.printing import console
    from rag.cli.render import render_status

    rag = open_rag(config, quiet=as_json)
    found, listed = rag.status(), rag.documents() if sources else []
    if as_json:
        print_json({**asdict(found), "sources": listed} if sources else asdict(found))
    else:
        render_status(console(), found, listed)


@commands.command()
def remove(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Documents, files or folders.", metavar="SOURCE...")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be removed, and stop.")] = False,
    yes: Yes = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take documents out of the index. Their vectors go too, unless another document has the same text."""
    if bool(sources) == everything:
        raise typer.BadParameter("name documents, or give --all")
    rag = open_rag(config, quiet=as_json)
    named = sources or []
    if not (dry_run or yes or as_json):
        _confirm(rag.would_remove(*named, everything=everything), rag)
    taken = rag.would_remove if dry_run else rag.remove
    removed = taken(*named, everything=everything)
    if as_json:
        print_json({"would_remove" if dry_run else "removed": removed})
    else:
        echo("\n".join(f"{'would remove' if dry_run else 'removed'} {source}" for source in removed))


def _confirm(going: Sequence[str], rag: Rag) -> None:
    """More than a tenth of an index does not go in silence: it is said, and on a terminal asked."""
    held = rag.status().documents
    if len(going) <= max(1, held * _LARGE_SHARE):
        return
    echo(f"This removes {len(going):,} of {held:,} documents: {', '.join(going[:3])} …", err=True)
    if sys.stdin.isatty():
        typer.confirm("Go on?", abort=True, err=True)


@commands.command()
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Keep all that cannot be made again, documents, embeddings and feedback, in one file."""
    made = open_rag(config, quiet=as_json).backup(path)
    if as_json:
        print_json(asdict(made))
    else:
        echo(f"{made.path}: {made.documents:,} documents, {made.chunks:,} chunks, {made.bytes:,} bytes")


@commands.command()
def restore(
    path: Annotated[Path, typer.Argument(help="What `rag backup` wrote.", metavar="FILE")],
    replace: Annotated[bool, typer.Option("--replace", help="Although there are documents there.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring back an index from a backup. Nothing is encoded."""
    from rag.cli.progress import showing_progress

    with showing_progress(quiet=as_json) as progress:
        chunks = open_rag(config, quiet=as_json).restore(path, replace=replace, progress=progress)
    if as_json:
        print_json({"chunks": chunks})
    else:
        echo(f"restored the index: {chunks:,} chunks")


@commands.command()
def rebuild(
    embed: Annotated[
        bool, typer.Option("--embed", help="Cut and encode every document anew, by the present settings.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Fill Chroma and the lexical index again from the catalog. Without --embed nothing is encoded."""
    from rag.cli.progress import showing_progress

    with showing_progress(quiet=as_json) as progress:
        chunks = open_rag(config, quiet=as_json).rebuild(embed, progress)
    if as_json:
        print_json({"chunks": chunks})
    else:
        echo(f"rebuilt the index: {chunks:,} chunks")
