"""`audiosearch ucs`: names in the Universal Category System, and suggestions for other sounds."""

from __future__ import annotations

from dataclasses import asdict, replace
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
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep the best suggestion for each sound as your own choice."),
    ] = False,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Take back what was kept for these sounds.")
    ] = False,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=-1.0,
            max=1.0,
            metavar="S",
            help="Leave out suggestions with lower scores.",
        ),
    ] = None,
    filters: options.Filters,
    as_json: options.AsJson = False,
) -> None:
    """Count sounds by their UCS categories.

    The Universal Category System names files CatID_FXName_CreatorID_SourceID. Suggestions are
    guesses: nothing stores them, unless you say --keep.
    """
    from audiosearch.library import Library

    if take_back and suggest:
        raise typer.BadParameter("--take-back and --suggest do not go together")
    if (keep or min_score is not None) and not suggest:
        raise typer.BadParameter("--keep and --min-score need --suggest")

    with Library.open(library) as opened:
        if ucs_list is not None:
            number = opened.set_ucs_list(ucs_list)
            typer.echo(f"{number} categories kept in the library", err=True)
        if take_back:
            kept = opened.ucs_choices(filters.where)
            number = opened.keep_ucs(dict.fromkeys(kept))
            typer.echo(f"taken back: {number}", err=True)
            return
        if not suggest:
            _counts(opened.facets(filters.where), as_json)
            return
        rows = []
        chosen: dict[int, str | None] = {}
        for sound in opened.suggest_ucs(filters.where, k):
            if min_score is not None:
                good = [one for one in sound.suggestions if one.score >= min_score]
                sound = replace(sound, suggestions=tuple(good))  # noqa: PLW2901
            if not sound.suggestions:
                continue
            chosen[sound.id] = sound.suggestions[0].cat_id
            if as_json:
                render.json_line(asdict(sound))
            rows += [
                (f"{one.score:.3f}", one.cat_id, f"{one.category}-{one.subcategory}", sound.path)
                for one in sound.suggestions
            ]
        number = opened.keep_ucs(chosen) if keep and chosen else 0
    if not as_json and rows:
        heads = ("score", "suggested", "category", "sound")
        lines = [(*row[:1], *map(shown, row[1:3]), render.near(row[3])) for row in rows]
        render.table(heads, lines, (True, False, False, False))
    if keep:
        typer.echo(f"kept: {number}", err=True)


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
        typer.echo("no sound has a UCS category: --suggest suggests some", err=True)
        return
    rows = [
        (name, str(number), shown(value))
        for name, numbers in by_name.items()
        for value, number in numbers.items()
    ]
    render.table(("by", "sounds", "value"), rows, (False, True, False))
