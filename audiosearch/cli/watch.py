"""`audiosearch watch`: keep a library up to date with its folders while they change."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import default_library

app = command_app()


@command(app)
def watch(
    *,
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            parser=options.path_text,
            metavar="FOLDER...",
            show_default="all folders of the library",
            help="Folders of sounds. Those that the library lacks are added.",
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    poll: Annotated[
        float | None,
        typer.Option(
            "--poll",
            metavar="SECONDS",
            help="Look at the folders this often, instead of being told by the system. Network "
            "shares are looked at anyway.",
        ),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            metavar="SECONDS",
            help="A file is complete when it has not changed for so long.",
        ),
    ] = 2.0,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            show_default="one for each processor",
            help="Decode with N processes.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Keep the library up to date with its folders while they change.

    A new sound can be found seconds after it is complete. Renamed and moved sounds keep what is
    known of them; those of a disk that is not there stay. Ctrl-C ends it, and so does SIGTERM.
    """
    from audiosearch.catalog.store import store_at
    from audiosearch.library import Library
    from indexer.roots import check_sources

    where = library or default_library()
    if folders and not store_at(where).exists():
        check_sources(folders, files=False)  # a wrong path makes no library
    cancel, signals = threading.Event(), list[int]()
    _on_signals(cancel, signals)
    with Library.open(where, create=bool(folders)) as opened:
        events = opened.watch(
            folders or (), poll=poll, settle=settle, workers=workers, cancel=cancel
        )
        for event in events:
            typer.echo(f"{time.strftime('%H:%M:%S')} {event.text}", err=True)
            if as_json:
                render.json_line(asdict(event))
    typer.echo("ended: what is done is kept", err=True)
    if signal.SIGINT in signals:
        raise typer.Exit(130)


def _on_signals(cancel: threading.Event, signals: list[int]) -> None:
    """End after the batch in hand at the first Ctrl-C or SIGTERM, and at once at the second."""

    def ended(number: int, frame: Any) -> None:
        if signals:
            os._exit(130)  # the database takes it like a power cut: committed batches stay
        signals.append(number)
        cancel.set()

    signal.signal(signal.SIGINT, ended)
    signal.signal(signal.SIGTERM, ended)
