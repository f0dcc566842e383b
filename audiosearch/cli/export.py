"""`audiosearch export`: write vectors for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli import options
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import user_path

app = command_app()


@command(app)
def export(
    *,
    file: Annotated[
        Path, typer.Argument(parser=user_path, metavar="FILE", help="A name in .npz or .parquet.")
    ],
    library: options.LibraryDirectory = None,
    filters: options.Filters,
) -> None:
    """Write all vectors to a file, with ids, paths and times.

    The file has one row for each window of each sound.
    """
    from audiosearch.library import Library

    with Library.open(library) as opened:
        count = opened.export(file, where=filters.where)
    typer.echo(f"{count} windows written to {file}", err=True)
