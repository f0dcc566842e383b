"""`audiosearch export`: vectors for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiosearch.cli import options


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@options.library
@options.filters
def export(file: Path, library: Path | None, **filters: Any) -> None:
    """Write all vectors to a file, with ids, paths and times.

    FILE ends in .npz or .parquet. One row for each window of each sound.
    """
    from audiosearch.library import Library

    with Library.open(library) as opened:
        count = opened.export(file, where=options.given(filters))
    click.echo(f"{count} windows written to {file}", err=True)
