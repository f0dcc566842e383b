"""`audiosearch status`: show what a library holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.results import Status

_FAILURES_SHOWN = 10

app = command_app()


@command(app)
def status(
    library: options.LibraryDirectory = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="List every file that has no embedding, and why.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what a library holds: sounds, folders, model, failed files."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        state = opened.status()
        failures = opened.failures()
    if as_json:
        if failed:
            for failure in failures:
                render.json_line(asdict(failure))
        else:
            render.json_line({**asdict(state), "failures": [asdict(f) for f in failures]})
        return
    if not failed:
        _print(state)
    if failures:
        if not failed:
            typer.echo("\nfailed:")
        for failure in failures if failed else failures[:_FAILURES_SHOWN]:
            typer.echo(f"  {render.near(failure.path)}: {shown(failure.reason)}")
        if len(failures) > _FAILURES_SHOWN and not failed:
            more = len(failures) - _FAILURES_SHOWN
            typer.echo(f"  and {more} more: audiosearch status --failed")


def _print(state: Status) -> None:
    building = f" (building {state.building})" if state.building else ""
    size = (state.database_bytes + state.cache_bytes) / 1e6
    copies = state.sounds - state.contents
    lines = [
        ("library", shown(state.directory)),
        ("model", f"{state.model or 'none yet'}{building}"),
        ("sounds", f"{state.sounds} ({state.hours:.1f} h), {max(copies, 0)} of them copies"),
        ("windows", f"{state.windows}, index {state.index_kind}, cache {state.cache}"),
        ("failed", str(state.failed)),
        ("size", f"{size:.1f} MB"),
    ]
    for name, value in lines:
        typer.echo(f"{name:<8} {value}")
    for root in state.roots:
        missing = "" if root.present else ", not there now"
        typer.echo(f"{'folder':<8} {shown(root.path)} ({root.sounds} sounds{missing})")
    if not state.roots:
        typer.echo("no folders yet: audiosearch index FOLDER")
