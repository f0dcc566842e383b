"""`audiosearch collection`: favourites and named collections of sounds."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app, merged

if TYPE_CHECKING:
    from audiosearch.library import Library

app = command_app(no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The name of a collection; Favourites is always there."),
]
Sounds = Annotated[
    list[str],
    typer.Argument(
        parser=options.path_text, metavar="FILE...", help="Sounds of the library, by their paths."
    ),
]


class Form(StrEnum):
    """The forms of an export."""

    paths = auto()
    csv = auto()
    m3u8 = auto()


@app.callback()
@merged
def collection(ctx: typer.Context, library: options.LibraryDirectory = None) -> None:
    """Keep favourites and named collections of sounds in the library."""
    ctx.obj = library


def _library(ctx: typer.Context, library: str | None) -> Library:
    from audiosearch.library import Library

    return Library.open(library if library is not None else ctx.obj)


@command(app, "list")
def list_(
    *, ctx: typer.Context, library: options.LibraryDirectory = None, as_json: options.AsJson = False
) -> None:
    """List the collections."""
    with _library(ctx, library) as opened:
        collections = opened.collections.all()
    if as_json:
        for one in collections:
            render.json_line(asdict(one))
        return
    rows = [(str(one.sounds), one.changed[:16].replace("T", " "), one.name) for one in collections]
    render.table(("sounds", "changed (UTC)", "collection"), rows, (True, False, False))


@command(app, "add")
def add(
    *, ctx: typer.Context, name: Name, sounds: Sounds, library: options.LibraryDirectory = None
) -> None:
    """Add sounds to a collection, at its end. It is made where there is none of that name."""
    from audiosearch.errors import CollectionNotFound

    with _library(ctx, library) as opened:
        ids = _ids(opened, sounds)  # a wrong path makes no collection
        try:
            which = opened.collections.get(name)
        except CollectionNotFound:
            which = opened.collections.make(name)
        count = opened.collections.add(which.id, ids).sounds
    typer.echo(f"{which.name} holds {count} sounds", err=True)


@command(app, "remove")
def remove(
    *,
    ctx: typer.Context,
    name: Name,
    sounds: Annotated[
        list[str] | None,
        typer.Argument(
            parser=options.path_text,
            metavar="[FILE...]",
            show_default=False,
            help="The sounds to take out; without any, the collection is deleted.",
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    dry_run: options.DryRun = False,
) -> None:
    """Take sounds out of a collection, or delete it. The sounds stay in the library."""
    with _library(ctx, library) as opened:
        which = opened.collections.get(name)
        if sounds:
            ids = set(_ids(opened, sounds))
            count = sum(sound.id in ids for sound in opened.collections.sounds(which.id))
            if not dry_run:
                opened.collections.remove(which.id, ids)
            what = f"{count} sounds {'would be ' if dry_run else ''}taken out of {which.name}"
        else:
            if not dry_run:
                opened.collections.delete(which.id)
            what = f"{which.name} {'would be ' if dry_run else ''}deleted"
    typer.echo(what, err=True)


@command(app, "show")
def show(
    *,
    ctx: typer.Context,
    name: Name,
    library: options.LibraryDirectory = None,
    as_json: options.AsJson = False,
    only_paths: options.OnlyPaths = False,
) -> None:
    """Show the sounds of a collection, in its order."""
    with _library(ctx, library) as opened:
        sounds = opened.collections.sounds(name)
    if as_json:
        for sound in sounds:
            render.json_line(asdict(sound))
    elif only_paths:
        render.print_paths(sound.path for sound in sounds)
    elif sounds:
        rows = [(render.clock(sound.duration or 0.0), render.near(sound.path)) for sound in sounds]
        render.table(("length", "sound"), rows, (True, False))
    else:
        typer.echo(f"{name} holds no sounds: audiosearch collection add {name} FILE", err=True)


@command(app, "export")
def export(
    *,
    ctx: typer.Context,
    name: Name,
    form: Annotated[
        Form, typer.Option("--format", help="Paths, a table, or a playlist.")
    ] = Form.paths,
    library: options.LibraryDirectory = None,
) -> None:
    """Print a collection as a list of paths, as csv, or as an m3u8 playlist."""
    from audiosearch.catalog.collecting import exported

    with _library(ctx, library) as opened:
        body = exported(opened.collections.sounds(name), form.value)
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _ids(library: Library, sounds: list[str]) -> list[int]:
    return [library.sound(path).id for path in sounds]
