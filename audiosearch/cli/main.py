"""The `audiosearch` command and its subcommands. Each is loaded when it is needed."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator, MutableMapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from audiosearch import __version__
from audiosearch.cli import exits, streams

# Help lists the commands in this order. Each has a module of its name, with an `app`.
_COMMANDS = (
    "index",
    "watch",
    "query",
    "similar",
    "facets",
    "classify",
    "duplicates",
    "ucs",
    "status",
    "remove",
    "roots",
    "doctor",
    "export",
    "copy",
    "collection",
    "eval",
    "train",
    "head",
    "models",
    "serve",
    "keys",
)


class _Commands(MutableMapping[str, Any]):
    """The commands by name. A command's module is imported when the command runs."""

    def __getitem__(self, name: str) -> Any:
        if name not in _COMMANDS:
            raise KeyError(name)
        return get_command(importlib.import_module(f"audiosearch.cli.{name}").app)

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError("commands are modules of audiosearch.cli")

    def __delitem__(self, name: str) -> None:
        raise TypeError("commands are modules of audiosearch.cli")


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)


app = typer.Typer(
    cls=_Group,
    # Help is plain: rich takes 0.1 s to load.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def audiosearch(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find sounds in your own folders by describing what you hear."""


class _Talk(logging.Handler):
    """The handler that prints the library's notices on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"audiosearch: {record.getMessage()}", err=True)


def _listen() -> None:
    for name in ("audiosearch", "indexer"):
        logger = logging.getLogger(name)
        logger.handlers = [_Talk(logging.WARNING)]
        logger.propagate = False


def main() -> None:
    """Run the command line and exit."""
    streams.prepare()
    _listen()
    sys.exit(
        exits.exit_code(lambda: get_command(app)(prog_name="audiosearch", standalone_mode=False))
    )
