"""Options that several commands share, and what they mean to the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

library = click.option(
    "-L",
    "--library",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The library. Default: $AUDIOSEARCH_LIBRARY, else one in your user data directory.",
)
results = click.option(
    "-k",
    "--results",
    "k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many results.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
paths = click.option("--paths", is_flag=True, help="Paths only, one a line.")
null = click.option(
    "-0", "--null", is_flag=True, help="Paths only, as raw bytes ended by NUL, for xargs -0."
)
moments = click.option(
    "--moments", is_flag=True, help="Every stretch that stands out, not only each sound's best."
)
start = click.option(
    "--from", "start", type=float, metavar="SECONDS", help="Use the file from here on."
)
end = click.option("--to", "end", type=float, metavar="SECONDS", help="Use the file up to here.")
dry_run = click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)

_FILTERS = (
    click.option("--min-duration", type=float, metavar="SECONDS", help="Not shorter."),
    click.option("--max-duration", type=float, metavar="SECONDS", help="Not longer."),
    click.option("--path", multiple=True, metavar="GLOB", help='Such as "*/doors/*".'),
    click.option("--format", multiple=True, metavar="FORMAT", help="wav, flac, mp3 ..."),
    click.option("--channels", multiple=True, type=int, metavar="N", help="Number of channels."),
    click.option("--rate", multiple=True, type=int, metavar="HZ", help="Sample rate."),
    click.option("--root", multiple=True, metavar="DIR", help="Under this indexed folder."),
    click.option("--since", metavar="WHEN", help="Modified since: 2026-01-31, or 7d, 2w, 3m."),
    click.option(
        "--tag",
        multiple=True,
        metavar="[KEY=]WORD",
        help="Found in the file's embedded or given metadata.",
    ),
)


def filters(command: Command) -> Command:
    """The options that say which sounds count; the command takes them as ``**filters``."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def given(filters: dict[str, Any]) -> dict[str, Any]:
    """The filters that were used, as `Library.search` takes them."""
    return {name: value for name, value in filters.items() if value not in (None, ())}
