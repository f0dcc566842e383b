"""`audiosearch query`: find sounds by describing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, play, render

if TYPE_CHECKING:
    from audiosearch.query import Term


def query(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What you hear, in your own words.")
    ] = None,
    library: options.LibraryDir = None,
    k: options.Results = 10,
    but: Annotated[
        list[str] | None, typer.Option("--not", metavar="TEXT", help="Away from this. Repeatable.")
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Towards this sound file. Repeatable."),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Away from this sound file. Repeatable."),
    ] = None,
    term: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHT:TEXT", help="One more text, weighted: 0.5:rain. Repeatable."),
    ] = None,
    start: options.From = None,
    end: options.To = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Wording around a text, in place of the model's; '{}' is the text."
        ),
    ] = None,
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
    play_best: Annotated[
        bool, typer.Option("--play", help="Play the best hit, from where it matches.")
    ] = False,
) -> None:
    """Find sounds by describing what you hear: audiosearch query "campfire crackling".

    The text is taken as it is; to steer away from something use --not, since models do not
    understand the word "no". Scores are cosines, not probabilities; pct is the part of the library
    that scores lower.
    """
    from audiosearch.library import Library

    terms = _terms(text, but, like, unlike, term, start, end)
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
        found = opened.search(
            terms,
            k,
            where=where,
            template=template,
            moments=moments,
            group=not (as_json or paths or null),
        )
        if not found:
            nothing_found(opened.status().sounds, bool(where))
    render.hits(found, as_json=as_json, paths=paths, null=null)
    if play_best and found:
        play.play(found[0].path, found[0].start, found[0].end)


def nothing_found(sounds: int, filtered: bool) -> None:
    """Say, on stderr, why there is no hit."""
    if not sounds:
        typer.echo("the library holds no sounds yet: audiosearch index FOLDER", err=True)
    elif filtered:
        typer.echo(f"none of the {sounds} sounds passes the filters", err=True)


def _terms(
    text: str | None,
    but: list[str] | None,
    like: list[str] | None,
    unlike: list[str] | None,
    weighted: list[str] | None,
    start: float | None,
    end: float | None,
) -> list[Term]:
    from audiosearch.query import Term

    terms = [Term(text=text)] if text is not None else []
    terms += [_weighted(term) for term in weighted or ()]
    terms += [Term(text=word, weight=-1.0) for word in but or ()]
    terms += [Term(path=file, start=start or 0.0, end=end) for file in like or ()]
    terms += [Term(path=file, weight=-1.0) for file in unlike or ()]
    if not terms:
        raise typer.BadParameter("say what to look for: a text, --like FILE, or both")
    return terms


def _weighted(term: str) -> Term:
    from audiosearch.query import Term

    weight, _, text = term.partition(":")
    try:
        return Term(text=text, weight=float(weight))
    except ValueError as error:
        raise typer.BadParameter(f"{term!r} is not WEIGHT:TEXT, such as 0.5:rain") from error
