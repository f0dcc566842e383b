"""`audiosearch similar`: find sounds that sound like a file."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.cli.query import explain_no_hits

app = command_app()


@command(app)
def similar(
    *,
    file: Annotated[
        str,
        typer.Argument(
            parser=options.path_text, metavar="FILE", help="A sound, in the library or not."
        ),
    ],
    library: options.LibraryDirectory = None,
    answer: options.Answer,
    part: options.Part,
    filters: options.Filters,
) -> None:
    """Find sounds that sound like a file, or like a part of it."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        hits = opened.similar(
            file,
            answer.k,
            start=part.start or 0.0,
            end=part.end,
            where=filters.where,
            moments=answer.moments,
            group=answer.group,
        )
        if not hits:
            explain_no_hits(opened.status().sounds, bool(filters.where))
    render.print_hits(hits, answer)
