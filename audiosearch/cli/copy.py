"""`audiosearch copy`: carry a library to another place."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli import options
from audiosearch.cli.commands import command, command_app

app = command_app()


@command(app)
def copy(
    *,
    library: options.LibraryDirectory = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            parser=options.library_text,
            metavar="DIR",
            help="A new directory, or postgresql://USER@HOST/DATABASE.",
        ),
    ],
) -> None:
    """Copy a library to another place, without embedding again.

    Both are compared in the end. A copy that ended early goes on when you run it again. Keys of the
    server, its jobs and pictures of sounds are not copied.
    """
    from tqdm import tqdm

    from audiosearch.library import Library
    from indexer.copying import CopyProgress

    with (
        Library.open(library) as opened,
        # `None`: only where stderr is a terminal.
        tqdm(desc="copying", unit=" rows", disable=None, leave=False) as bar,
    ):

        def show(progress: CopyProgress) -> None:
            bar.total = 2 * progress.total
            before = progress.total if progress.step == "compare" else 0
            bar.update(before + progress.done - bar.n)

        copied = opened.copy(to, on_progress=show)
    typer.echo(f"{copied.sounds} sounds copied, and compared with their source", err=True)
