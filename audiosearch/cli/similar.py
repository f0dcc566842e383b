"""`audiosearch similar`: find sounds that sound like a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiosearch.cli import options, render
from audiosearch.cli.query import nothing_found


@click.command()
@click.argument("file")
@options.library
@options.results
@options.start
@options.end
@options.moments
@options.filters
@options.as_json
@options.paths
@options.null
def similar(
    file: str,
    library: Path | None,
    k: int,
    start: float | None,
    end: float | None,
    moments: bool,
    as_json: bool,
    paths: bool,
    null: bool,
    **filters: Any,
) -> None:
    """Find sounds that sound like a file.

    FILE need not be in the library; --from and --to take a part of it.
    """
    from audiosearch.library import Library

    where = options.given(filters)
    with Library.open(library) as opened:
        found = opened.similar(
            file,
            k,
            start=start or 0.0,
            end=end,
            where=where,
            moments=moments,
            group=not (as_json or paths or null),
        )
        if not found:
            nothing_found(opened.status().sounds, bool(where))
    render.hits(found, as_json=as_json, paths=paths, null=null)
