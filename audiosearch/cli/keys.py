"""`audiosearch keys`: the keys to a library that is served beyond this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from audiosearch.cli import options
from audiosearch.cli.commands import command, command_app

app = command_app(no_args_is_help=True)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the key.")]


@app.callback()
def keys() -> None:
    """Make, list and revoke the keys of `audiosearch serve`."""


def _directory(library: str | None) -> Path:
    from audiosearch.library import Library

    with Library.open(library) as opened:
        return opened.directory


@command(app)
def make(
    name: KeyName,
    library: options.LibraryDirectory = None,
    scope: Annotated[
        Literal["read", "write"],
        typer.Option(
            "--scope",
            help="A read key searches and listens; a write key also indexes, describes and "
            "removes.",
        ),
    ] = "read",
    days: Annotated[
        float | None,
        typer.Option(
            "--days", metavar="N", show_default="never", help="Let the key expire after N days."
        ),
    ] = None,
) -> None:
    """Make a key and print it. It is not shown again."""
    from audiosearch.remote.keys import make_key

    typer.echo(make_key(_directory(library), name, scope, days))
    typer.echo("keep it now: it is not shown again", err=True)


@command(app, "list")
def list_keys(library: options.LibraryDirectory = None) -> None:
    """Print the scope, the date and the name of each key."""
    from audiosearch.remote.keys import load_keys

    for key in load_keys(_directory(library)):
        until = "" if key.expires is None else f"  (until {key.expires})"
        typer.echo(f"{key.scope:5}  {key.made}  {key.name}{until}")


@command(app)
def revoke(name: KeyName, library: options.LibraryDirectory = None) -> None:
    """Revoke a key. A running server refuses it at once."""
    from audiosearch.remote.keys import revoke_key

    revoke_key(_directory(library), name)
