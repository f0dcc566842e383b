"""`audiosearch remove`: forget sounds."""

from __future__ import annotations

from pathlib import Path

import click

from audiosearch.cli import options, render


@click.command()
@click.argument("what", metavar="PATH...", nargs=-1, required=True)
@options.library
@options.dry_run
@options.paths
def remove(what: tuple[str, ...], library: Path | None, dry_run: bool, paths: bool) -> None:
    """Forget sounds, or all below a folder. The files themselves are never touched."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        summary = opened.remove(what, dry_run=dry_run)
    if paths or dry_run:
        for path in summary.paths:
            click.echo(path if paths else render.near(path))
    verb = "would be forgotten" if dry_run else "forgotten"
    click.echo(f"{len(summary.paths)} sounds {verb}", err=True)
