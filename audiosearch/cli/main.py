"""The `audiosearch` command: where commands are gathered, and the one place where errors become
exit codes.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from audiosearch import __version__
from audiosearch.cli import (
    classify,
    doctor,
    eval,
    export,
    index,
    models,
    query,
    remove,
    similar,
    status,
)
from audiosearch.errors import AudioSearchError

app = typer.Typer(
    name="audiosearch",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find sounds in your own folders by describing what you hear.",
)
app.command()(index.index)
app.command()(query.query)
app.command()(similar.similar)
app.command()(classify.classify)
app.command()(status.status)
app.command()(remove.remove)
app.command()(doctor.doctor)
app.command()(export.export)
app.command("eval")(eval.evaluate)
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find sounds in your own folders by describing what you hear."""


class _Talk(logging.Handler):
    """The library's notices, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"audiosearch: {record.getMessage()}", err=True)


def _listen() -> None:
    logger = logging.getLogger("audiosearch")
    for name in ("audiosearch", "indexer"):
        logger = logging.getLogger(name)
        logger.handlers = [_Talk(logging.WARNING)]
        logger.propagate = False


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A path may hold what the terminal's encoding cannot say; it must not end the program.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _listen()
    try:
        app()
    except AudioSearchError as error:
        typer.echo(f"audiosearch: error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough. Nothing more can be flushed to it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
