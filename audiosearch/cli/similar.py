"""`audiosearch similar`: find sounds that sound like a file."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.query import nothing_found


def similar(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A sound, in the library or not.")],
    library: options.LibraryDir = None,
    k: options.Results = 10,
    start: options.From = None,
    end: options.To = None,
    moments: options.Moments = False,
    min_duration: options.MinDuration = None,
    max_duration: options.MaxDuration = None,
    path: options.PathGlob = None,
    format: options.Format = None,
    channels: options.Channels = None,
    rate: options.Rate = None,
    root: options.Root = None,
    since: options.Since = None,
    tag: options.Tag = None,
    as_json: options.Json = False,
    paths: options.Paths = False,
    null: options.Null = False,
) -> None:
    """Find sounds that sound like FILE, or like its part between --from and --to."""
    from audiosearch.library import Library

    where = options.given(
        min_duration=min_duration,
        max_duration=max_duration,
        path=path,
        format=format,
        channels=channels,
        rate=rate,
        root=root,
        since=since,
        tag=tag,
    )
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
