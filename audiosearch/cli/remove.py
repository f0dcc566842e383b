"""`audiosearch remove`: forget sounds."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app

app = command_app()


@command(app)
def remove(
    what: Annotated[
        list[str],
        typer.Argument(parser=options.path_text, metavar="PATH...", help="Sounds or folders."),
    ],
    library: options.LibraryDirectory = None,
    dry_run: options.DryRun = False,
    paths: options.OnlyPaths = False,
) -> None:
    """Forget sounds, or all sounds below a folder.

    The files themselves stay as they are.
    """
    from audiosearch.library import Library

    with Library.open(library) as opened:
        summary = opened.remove(what, dry_run=dry_run)
    if paths:
        render.print_paths(summary.paths)
    elif dry_run:
        for path in summary.paths:
            typer.echo(render.near(path))
    verb = "would be forgotten" if dry_run else "forgotten"
    typer.echo(f"{len(summary.paths)} sounds {verb}", err=True)
