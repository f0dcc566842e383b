"""`audiosearch query`: find sounds by describing them."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import options, play, render
from audiosearch.cli.commands import command, command_app

if TYPE_CHECKING:
    from audiosearch.search.query import Term

app = command_app()


class Matching(StrEnum):
    """The values of --match: those of `audiosearch.search.query.Match`."""

    both = auto()
    sound = auto()
    words = auto()


@command(app)
def query(
    *,
    context: typer.Context,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", show_default=False, help="What you want to hear, in words."),
    ] = None,
    library: options.LibraryDirectory = None,
    answer: options.Answer,
    but: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="TEXT", help="Steer away from this text. Repeatable."),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            parser=options.path_text,
            metavar="FILE",
            help="Steer towards this sound. Repeatable.",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(
            "--unlike",
            parser=options.path_text,
            metavar="FILE",
            help="Steer away from this sound. Repeatable.",
        ),
    ] = None,
    weighted: Annotated[
        list[str] | None,
        typer.Option(
            "--term",
            metavar="WEIGHT:TEXT",
            help="Add a text with a weight: 0.5:rain, or --term=-0.3:traffic. Repeatable.",
        ),
    ] = None,
    part: options.Part,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Put each text in these words instead of the model's; '{}' is the text.",
        ),
    ] = None,
    match: Annotated[
        Matching,
        typer.Option(
            "--match", help="Compare what is heard, the words of names and metadata, or both."
        ),
    ] = Matching.both,
    filters: options.Filters,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="URL",
            help="Ask a running `audiosearch serve`. $AUDIOSEARCH_KEY is its key, if it needs one.",
        ),
    ] = None,
    play_best: Annotated[
        bool, typer.Option("--play", help="Play the best hit, from the moment that matches.")
    ] = False,
) -> None:
    """Find sounds by describing what you hear.

    Such as: audiosearch query "campfire crackling". The text is taken as it is: models do not
    understand the word "no", so use --not to steer away from something. Scores are cosines, not
    probabilities; pct is the share of the library that scores lower.
    """
    # The process answers once and exits: it need not collect garbage, which takes 6 % of its time.
    gc.disable()
    from audiosearch.search.query import Term

    terms = [] if text is None else [Term(text=text)]
    terms += [_weighted(term) for term in weighted or ()]
    terms += [Term(text=word, weight=-1.0) for word in but or ()]
    terms += [Term(path=file, start=part.start or 0.0, end=part.end) for file in like or ()]
    terms += [Term(path=file, weight=-1.0) for file in unlike or ()]
    if not terms:
        context.fail("Say what to look for: a TEXT, --like FILE, or both.")
    how: dict[str, Any] = {
        "where": filters.where,
        "template": template,
        "moments": answer.moments,
        "group": answer.group,
        "match": match.value,
    }
    hits: Sequence[Any]
    if server is not None:
        from audiosearch.remote import client

        hits = client.search(server, terms, answer.k, **how)
        if not hits:
            typer.echo("no sound passes the filters, or the library holds none", err=True)
    else:
        from audiosearch.library import Library

        with Library.open(library) as opened:
            hits = opened.search(terms, answer.k, **how)
            if not hits:
                explain_no_hits(opened.status().sounds, bool(filters.where))
    if hits and all(hit.weak for hit in hits):
        typer.echo("no sound stands out for this: made-up words would do as well", err=True)
    render.print_hits(hits, answer)
    if play_best and hits:
        play.play(hits[0].path, hits[0].start, hits[0].end)


def explain_no_hits(sounds: int, filtered: bool) -> None:
    """Print on stderr why a library of this many `sounds` has no hit."""
    if not sounds:
        typer.echo("the library holds no sounds yet: audiosearch index FOLDER", err=True)
    elif filtered:
        typer.echo(f"none of the {sounds} sounds passes the filters", err=True)


def _weighted(term: str) -> Term:
    from audiosearch.search.query import Term

    weight, _, text = term.partition(":")
    try:
        return Term(text=text, weight=float(weight))
    except ValueError as error:
        message = f"{term!r} is not WEIGHT:TEXT, such as 0.5:rain."
        raise typer.BadParameter(message, param_hint="'--term'") from error
