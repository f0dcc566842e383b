"""`audiosearch export`: vectors for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli import options


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ends in .npz or .parquet.")],
    library: options.LibraryDir = None,
    path: options.PathGlob = None,
    format: options.Format = None,
    root: options.Root = None,
    tag: options.Tag = None,
) -> None:
    """Write ids, paths, times and vectors of all windows to a file."""
    from audiosearch.library import Library

    where = options.given(path=path, format=format, root=root, tag=tag)
    with Library.open(library) as opened:
        count = opened.export(file, where=where)
    typer.echo(f"{count} windows written to {file}", err=True)
