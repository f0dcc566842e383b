"""`audiosearch serve`: the library over HTTP, and a page to search on."""

from __future__ import annotations

from pathlib import Path

import click

from audiosearch.cli import options
from audiosearch.errors import AudioSearchError


@click.command()
@options.library
@click.option("--host", default="127.0.0.1", show_default=True, help="Any other needs keys.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True)
@click.option(
    "--name", "names", multiple=True, metavar="HOST", help="By which others call this machine."
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Of pages elsewhere that may use the API: https://mam.example.",
)
@click.option("--need-key", is_flag=True, help="On this machine too.")
@click.option(
    "--uploads",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Take uploaded sounds, and keep them here.",
)
@click.option(
    "--upload-limit",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    metavar="MB",
    help="Of one uploaded sound.",
)
@click.option(
    "--rate", type=float, metavar="N", help="Requests a second of one key or address. [any]"
)
@click.option("--access-log", is_flag=True, help="A JSON object a request, on stderr.")
def serve(
    library: Path | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    origins: tuple[str, ...],
    need_key: bool,
    uploads: Path | None,
    upload_limit: int,
    rate: float | None,
    access_log: bool,
) -> None:
    """Serve the library over HTTP, with a page to search on.

    Needs the extra: pip install 'audiosearch[serve]'.
    """
    from audiosearch.paths import default_library

    try:
        from audiosearch.server import Settings
        from audiosearch.server import serve as run
    except ImportError as error:
        raise AudioSearchError(
            f"to serve, {error.name} is needed: pip install 'audiosearch[serve]'"
        ) from error
    if rate is not None and not rate > 0:
        raise click.UsageError("--rate is a number above zero")
    directory = (library or default_library()).expanduser()
    settings = Settings(
        names=names,
        origins=origins,
        need_key=need_key,
        uploads=uploads.expanduser().absolute() if uploads else None,
        most_upload=upload_limit * 1_000_000,
        per_second=rate,
        access_log=access_log,
    )
    click.echo(f"http://{f'[{host}]' if ':' in host else host}:{port}/  (Ctrl-C ends it)", err=True)
    run(directory, host, port, settings)
