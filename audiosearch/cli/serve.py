"""`audiosearch serve`: serve the library over HTTP, with a page to search on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli import options
from audiosearch.cli.commands import command, command_app
from audiosearch.errors import AudioSearchError
from audiosearch.paths import default_library, user_path

app = command_app()


@command(app)
def serve(
    *,
    context: typer.Context,
    library: options.LibraryDirectory = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Listen at this address. Every address but that of this machine alone needs keys.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="Listen at this port.")
    ] = 8321,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="HOST",
            help="Answer requests to this host name too, such as sounds.example: the name by which "
            "other machines reach the server. Repeatable.",
        ),
    ] = None,
    origins: Annotated[
        list[str] | None,
        typer.Option(
            "--origin",
            metavar="URL",
            help="Let the pages of this site use the API, such as https://mam.example. Repeatable.",
        ),
    ] = None,
    need_key: Annotated[
        bool, typer.Option("--need-key", help="Ask for a key on this machine too.")
    ] = False,
    uploads: Annotated[
        Path | None,
        typer.Option(
            "--uploads",
            parser=user_path,
            metavar="DIR",
            help="Accept uploaded sounds, and keep them in DIR.",
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            parser=user_path,
            metavar="DIR",
            help="Let the page add DIR, and folders below it, to the library. Repeatable.",
        ),
    ] = None,
    upload_limit: Annotated[
        int,
        typer.Option(
            "--upload-limit", min=1, metavar="MB", help="Accept uploads of this size or smaller."
        ),
    ] = 200,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            show_default="no limit",
            help="Answer N requests a second for each key or address.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Keep the library up to date with its folders."),
    ] = False,
    poll: Annotated[
        float | None,
        typer.Option(
            "--poll",
            metavar="SECONDS",
            help="With --watch: look at the folders this often, as audiosearch watch --poll.",
        ),
    ] = None,
    access_log: Annotated[
        bool,
        typer.Option("--access-log", help="Print a JSON object for each request, on stderr."),
    ] = False,
) -> None:
    """Serve the library over HTTP, with a page to search on.

    This needs the extra `serve`: pip install 'audiosearch[serve]'.
    """
    try:
        from audiosearch.server import Settings
        from audiosearch.server import serve as run
    except ImportError as error:
        raise AudioSearchError(
            f"serving needs {error.name}: pip install 'audiosearch[serve]'"
        ) from error
    if rate is not None and not rate > 0:
        context.fail("--rate must be a number above zero.")
    if poll is not None and not (watch and 0 < poll <= 86_400):
        context.fail("--poll is a number of seconds above zero, and goes with --watch.")
    directory = library or default_library()
    settings = Settings(
        names=tuple(names or ()),
        origins=tuple(origins or ()),
        need_key=need_key,
        uploads=uploads.absolute() if uploads else None,
        most_upload=upload_limit * 1_000_000,
        per_second=rate,
        access_log=access_log,
        watch=watch,
        poll=poll,
        folders=tuple(folder.absolute() for folder in folders or ()),
    )
    typer.echo(f"http://{f'[{host}]' if ':' in host else host}:{port}/  (Ctrl-C ends it)", err=True)
    run(directory, host, port, settings)
