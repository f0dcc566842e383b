"""`audiosearch facets`: count sounds, or the hits of a query, by what the filters know."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.cli.query import Matching
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.results import Facets
    from audiosearch.search.query import Match

_VALUES_SHOWN = 10

app = command_app()


@command(app)
def facets(
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", show_default=False, help="Count only the hits of this query."
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata", metavar="KEY", help="Count the values of this field too. Repeatable."
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", metavar="COSINE", help="The hits have this score or more."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Put the text in these words instead of the model's; '{}' is the text.",
        ),
    ] = None,
    match: Annotated[
        Matching,
        typer.Option(
            "--match", help="Compare what is heard, the words of names and metadata, or both."
        ),
    ] = Matching.both,
    filters: options.Filters,
    as_json: options.AsJson = False,
) -> None:
    """Count sounds by format, length, folder and so on.

    With TEXT, the sounds that stand out for it are counted: those that score far above the
    library's average, or whose names hold the words. Counts of a property leave its own filter out.
    """
    from audiosearch.library import Library

    with Library.open(library) as opened:
        counts = opened.facets(
            filters.where,
            metadata or (),
            query=text,
            template=template,
            match=cast("Match", match.value),
            min_score=min_score,
        )
    if as_json:
        render.json_line(asdict(counts))
    else:
        _print(counts)


def _print(counts: Facets) -> None:
    fields = {
        name: value for name, value in vars(counts).items() if name not in ("sounds", "min_score")
    }
    for key, of_key in fields.pop("metadata").items():
        fields[f"metadata {key}"] = of_key
    rows = []
    for name, numbers in fields.items():
        for value, number in list(numbers.items())[:_VALUES_SHOWN]:
            rows.append((name, str(number), shown(str(value))))
        if len(numbers) > _VALUES_SHOWN:
            rows.append((name, "", f"and {len(numbers) - _VALUES_SHOWN} more: --json"))
    bound = "" if counts.min_score is None else f", with scores from {counts.min_score:.3f}"
    typer.echo(f"{counts.sounds} sounds{bound}")
    if rows:
        render.table(("by", "sounds", "value"), rows, (False, True, False))
