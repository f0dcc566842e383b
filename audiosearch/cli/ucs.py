"""`audiosearch ucs`: names in the Universal Category System, and suggestions for other sounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.results import Facets

app = command_app()


@command(app)
def ucs(
    *,
    library: options.LibraryDirectory = None,
    ucs_list: Annotated[
        str | None,
        typer.Option(
            "--ucs-list",
            parser=options.path_text,
            metavar="FILE",
            help="Keep this list of categories in the library: the official one, saved as CSV.",
        ),
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest", help="Suggest a category, by its sound, for each sound without one."
        ),
    ] = False,
    k: Annotated[
        int, typer.Option("-k", "--results", min=1, metavar="N", help="Suggest N categories each.")
    ] = 1,
    filters: options.Filters,
    as_json: options.AsJson = False,
) -> None:
    """Count sounds by the UCS categories of their names.

    The Universal Category System names files CatID_FXName_CreatorID_SourceID. Suggestions are
    guesses: nothing stores them.
    """
    from audiosearch.library import Library

    with Library.open(library) as opened:
        if ucs_list is not None:
            number = opened.set_ucs_list(ucs_list)
            typer.echo(f"{number} categories kept in the library", err=True)
        if not suggest:
            _counts(opened.facets(filters.where), as_json)
            return
        rows = []
        for sound in opened.suggest_ucs(filters.where, k):
            if as_json:
                render.json_line(asdict(sound))
            rows += [
                (f"{one.score:.3f}", one.cat_id, f"{one.category}-{one.subcategory}", sound.path)
                for one in sound.suggestions
            ]
    if not as_json and rows:
        heads = ("score", "suggested", "category", "sound")
        lines = [(*row[:1], *map(shown, row[1:3]), render.near(row[3])) for row in rows]
        render.table(heads, lines, (True, False, False, False))


def _counts(counts: Facets, as_json: bool) -> None:
    by_name = {
        "ucs": counts.ucs,
        "ucs_category": counts.ucs_category,
        "ucs_subcategory": counts.ucs_subcategory,
    }
    if as_json:
        render.json_line(by_name)
        return
    if not counts.ucs:
        typer.echo("no name is in the UCS: --suggest suggests categories", err=True)
        return
    rows = [
        (name, str(number), shown(value))
        for name, numbers in by_name.items()
        for value, number in numbers.items()
    ]
    render.table(("by", "sounds", "value"), rows, (False, True, False))
