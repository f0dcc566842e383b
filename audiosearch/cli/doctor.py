"""`audiosearch doctor`: is the library sound?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.paths import default_library


def doctor(
    library: options.LibraryDir = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what reads every vector and every file.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Check a library: database, vectors, cache, files. Exits 1 where something is wrong."""
    from audiosearch.doctor import check

    where = (library if library is not None else default_library()).expanduser()
    if repair:
        from indexer.repair import repair as mend

        for line in mend(where):
            typer.echo(f"mended: {line}", err=True)
    findings = check(where, quick=quick)
    broken = [finding for finding in findings if finding.level == "error"]
    for finding in findings:
        if as_json:
            render.json_line(asdict(finding))
        else:
            typer.echo(f"{finding.level}: {finding.message}")
    if broken:
        raise typer.Exit(1)
    if not as_json:
        typer.echo("the library is consistent", err=True)
