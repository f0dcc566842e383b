"""`audiosearch query`: find sounds by describing them."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiosearch.cli import options, play, render

if TYPE_CHECKING:
    from audiosearch.search.query import Term


@click.command()
@click.argument("text", required=False)
@options.library
@options.results
@click.option("--not", "but", multiple=True, metavar="TEXT", help="Away from this. Repeatable.")
@click.option("--like", multiple=True, metavar="FILE", help="Towards this sound. Repeatable.")
@click.option("--unlike", multiple=True, metavar="FILE", help="Away from this sound. Repeatable.")
@click.option(
    "--term",
    "weighted",
    multiple=True,
    metavar="WEIGHT:TEXT",
    help="One more text, weighted: 0.5:rain. Repeatable.",
)
@options.start
@options.end
@click.option(
    "--template",
    metavar="TEXT",
    help="Wording around a text, in place of the model's; '{}' is the text.",
)
@options.moments
@options.filters
@options.as_json
@options.paths
@options.null
@click.option(
    "--server",
    metavar="URL",
    help="Ask a running `audiosearch serve`; its key, if it wants one, is $AUDIOSEARCH_KEY.",
)
@click.option("--play", "play_best", is_flag=True, help="Play the best hit, from where it matches.")
def query(
    text: str | None,
    library: Path | None,
    k: int,
    but: Sequence[str],
    like: Sequence[str],
    unlike: Sequence[str],
    weighted: Sequence[str],
    start: float | None,
    end: float | None,
    template: str | None,
    moments: bool,
    as_json: bool,
    paths: bool,
    null: bool,
    server: str | None,
    play_best: bool,
    **filters: Any,
) -> None:
    """Find sounds by describing what you hear.

    Such as: audiosearch query "campfire crackling". The text is taken as it is; to steer away from
    something use --not, since models do not understand the word "no". Scores are cosines, not
    probabilities; pct is the part of the library that scores lower.
    """
    # A process that answers once frees nothing; looking for what it could is 6 % of its time.
    gc.disable()
    from audiosearch.search.query import Term

    terms = [] if text is None else [Term(text=text)]
    terms += [_weighted(term) for term in weighted]
    terms += [Term(text=word, weight=-1.0) for word in but]
    terms += [Term(path=file, start=start or 0.0, end=end) for file in like]
    terms += [Term(path=file, weight=-1.0) for file in unlike]
    if not terms:
        raise click.UsageError("say what to look for: a text, --like FILE, or both")
    where = options.given(filters)
    how: dict[str, Any] = {
        "where": where,
        "template": template,
        "moments": moments,
        "group": not (as_json or paths or null),
    }
    if server is not None:
        from audiosearch.remote import client

        found = client.search(server, terms, k, **how)
        if not found:
            click.echo("no sound passes, or the library holds none", err=True)
    else:
        from audiosearch.library import Library

        with Library.open(library) as opened:
            found = opened.search(terms, k, **how)
            if not found:
                nothing_found(opened.status().sounds, bool(where))
    render.hits(found, as_json=as_json, paths=paths, null=null)
    if play_best and found:
        play.play(found[0].path, found[0].start, found[0].end)


def nothing_found(sounds: int, filtered: bool) -> None:
    """Say, on stderr, why there is no hit."""
    if not sounds:
        click.echo("the library holds no sounds yet: audiosearch index FOLDER", err=True)
    elif filtered:
        click.echo(f"none of the {sounds} sounds passes the filters", err=True)


def _weighted(term: str) -> Term:
    from audiosearch.search.query import Term

    weight, _, text = term.partition(":")
    try:
        return Term(text=text, weight=float(weight))
    except ValueError as error:
        raise click.UsageError(f"{term!r} is not WEIGHT:TEXT, such as 0.5:rain") from error
