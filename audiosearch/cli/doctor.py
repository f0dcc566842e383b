"""`audiosearch doctor`: check a library."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import default_library

app = command_app()


@command(app)
def doctor(
    library: options.LibraryDirectory = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the checks that read every vector and every file.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check a library: database, vectors, cache, files.

    The exit code is 1 if something is wrong.
    """
    from audiosearch.care.doctor import check

    where = library or default_library()
    if repair:
        from indexer.repair import repair as mend

        for line in mend(where):
            typer.echo(f"repaired: {line}", err=True)
    findings = check(where, quick=quick)
    for finding in findings:
        if as_json:
            render.json_line(asdict(finding))
        else:
            typer.echo(f"{finding.level}: {finding.message}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
    if not as_json:
        typer.echo("the library is consistent", err=True)
