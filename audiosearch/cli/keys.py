"""`audiosearch keys`: who may use a library that is served beyond this machine."""

from __future__ import annotations

from pathlib import Path

import click

from audiosearch.cli import options


@click.group()
def keys() -> None:
    """Make, list and revoke keys for `audiosearch serve`."""


def _directory(library: Path | None) -> Path:
    from audiosearch.library import Library

    with Library.open(library) as opened:
        return opened.directory


@keys.command()
@click.argument("name")
@options.library
@click.option(
    "--scope",
    type=click.Choice(["read", "write"]),
    default="read",
    show_default=True,
    help="read: search and listen. write: index, describe and remove too.",
)
def make(name: str, library: Path | None, scope: str) -> None:
    """Make a key and print it, this once."""
    from audiosearch.remote.keys import make_key

    click.echo(make_key(_directory(library), name, "write" if scope == "write" else "read"))
    click.echo("keep it now: it is not shown again", err=True)


@keys.command("list")
@options.library
def list_keys(library: Path | None) -> None:
    """Print names and scopes."""
    from audiosearch.remote.keys import load_keys

    for key in load_keys(_directory(library)):
        click.echo(f"{key.scope:5}  {key.made}  {key.name}")


@keys.command()
@click.argument("name")
@options.library
def revoke(name: str, library: Path | None) -> None:
    """Revoke a key; a running server refuses it at once."""
    from audiosearch.remote.keys import revoke_key

    revoke_key(_directory(library), name)
