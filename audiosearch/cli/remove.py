"""`audiosearch remove`: forget sounds."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli import options, render


def remove(
    what: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Sounds, or folders with all below them.")
    ],
    library: options.LibraryDir = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Say what would be forgotten.")
    ] = False,
    paths: options.Paths = False,
) -> None:
    """Forget sounds: they are no longer found. The files themselves are never touched."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        summary = opened.remove(what, dry_run=dry_run)
    if paths or dry_run:
        for path in summary.paths:
            typer.echo(path if paths else render.near(path))
    verb = "would be forgotten" if dry_run else "forgotten"
    typer.echo(f"{len(summary.paths)} sounds {verb}", err=True)
