"""The `audiosearch` command: where commands are gathered, and the one place where errors become
exit codes.
"""

from __future__ import annotations

import logging
import os
import sys

import click

from audiosearch import __version__
from audiosearch.cli.classify import classify
from audiosearch.cli.doctor import doctor
from audiosearch.cli.eval import evaluate
from audiosearch.cli.export import export
from audiosearch.cli.index import index
from audiosearch.cli.keys import keys
from audiosearch.cli.models import models
from audiosearch.cli.query import query
from audiosearch.cli.remove import remove
from audiosearch.cli.serve import serve
from audiosearch.cli.similar import similar
from audiosearch.cli.status import status
from audiosearch.errors import AudioSearchError

_COMMANDS = (
    index,
    query,
    similar,
    classify,
    status,
    remove,
    doctor,
    export,
    evaluate,
    models,
    serve,
    keys,
)


class _InOrder(click.Group):
    """Lists its commands in the order in which one meets them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, message="%(version)s")
def app() -> None:
    """Find sounds in your own folders by describing what you hear."""


for command in _COMMANDS:
    app.add_command(command)


class _Talk(logging.Handler):
    """The library's notices, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"audiosearch: {record.getMessage()}", err=True)


def _listen() -> None:
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
        app(prog_name="audiosearch", standalone_mode=False)
    except AudioSearchError as error:
        click.echo(f"audiosearch: error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:  # a wrong command line
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough. Nothing more can be flushed to it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
