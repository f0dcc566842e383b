"""`audiosearch roots`: the folders of a library, and where they are now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app, merged

app = command_app(invoke_without_command=True)


@app.callback()
@merged
def roots(
    ctx: typer.Context,
    library: options.LibraryDirectory = None,
    as_json: options.AsJson = False,
) -> None:
    """List the folders of a library with their state, or re-point one that was moved."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = library
        return
    from audiosearch.library import Library

    with Library.open(library) as opened:
        states = opened.status().roots
    if as_json:
        for state in states:
            render.json_line(asdict(state))
        return
    if states:
        rows = [(state.state, str(state.sounds), render.near(state.path)) for state in states]
        render.table(("state", "sounds", "folder"), rows, (False, True, False))
    else:
        typer.echo("no folders yet: audiosearch index FOLDER", err=True)


@command(app, "move")
def move(
    ctx: typer.Context,
    old: Annotated[
        str,
        typer.Argument(
            parser=options.path_text, metavar="OLD", help="The folder as the library knows it."
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(parser=options.path_text, metavar="NEW", help="Where the folder is now."),
    ],
    library: options.LibraryDirectory = None,
    dry_run: options.DryRun = False,
) -> None:
    """Point a folder of the library at the place where it is now.

    Use it for folders that were moved or renamed. It reads no file and embeds nothing; what was
    set on the sounds stays. If NEW was indexed already, the two become one.
    """
    from audiosearch.library import Library

    with Library.open(library if library is not None else ctx.obj) as opened:
        summary = opened.move_root(old, new, dry_run=dry_run)
    verb = "would be moved" if dry_run else "moved"
    twins = f", {summary.merged} of them were there already" if summary.merged else ""
    typer.echo(f"{summary.moved} sounds {verb} to {render.near(summary.new)}{twins}", err=True)
