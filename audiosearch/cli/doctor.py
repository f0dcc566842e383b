"""`audiosearch doctor`: is the library sound?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from audiosearch.cli import options, render
from audiosearch.paths import default_library


@click.command()
@options.library
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@click.option("--quick", is_flag=True, help="Leave out what reads every vector and every file.")
@options.as_json
def doctor(library: Path | None, repair: bool, quick: bool, as_json: bool) -> None:
    """Check a library: database, vectors, cache, files. Exits 1 where something is wrong."""
    from audiosearch.care.doctor import check

    where = (library if library is not None else default_library()).expanduser()
    if repair:
        from indexer.repair import repair as mend

        for line in mend(where):
            click.echo(f"mended: {line}", err=True)
    findings = check(where, quick=quick)
    broken = [finding for finding in findings if finding.level == "error"]
    for finding in findings:
        if as_json:
            render.json_line(asdict(finding))
        else:
            click.echo(f"{finding.level}: {finding.message}")
    if broken:
        raise SystemExit(1)
    if not as_json:
        click.echo("the library is consistent", err=True)
