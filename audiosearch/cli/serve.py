"""`audiosearch serve`: the library over HTTP, and a page to search on."""

from __future__ import annotations

from pathlib import Path

import click

from audiosearch.cli import options
from audiosearch.errors import AudioSearchError


@click.command()
@options.library
@click.option("--host", default="127.0.0.1", show_default=True, help="This machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True)
def serve(library: Path | None, host: str, port: int) -> None:
    """Serve the library over HTTP, with a page to search on.

    Needs the extra: pip install 'audiosearch[serve]'.
    """
    from audiosearch.paths import default_library

    try:
        from audiosearch.server import serve as run
    except ImportError as error:
        raise AudioSearchError(
            f"to serve, {error.name} is needed: pip install 'audiosearch[serve]'"
        ) from error
    directory = library or default_library()
    click.echo(f"http://{f'[{host}]' if ':' in host else host}:{port}/  (Ctrl-C ends it)", err=True)
    run(directory.expanduser(), host, port)
