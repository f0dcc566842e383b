"""Options that several commands share, and what they mean to the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

LibraryDir = Annotated[
    Path | None,
    typer.Option(
        "-L",
        "--library",
        metavar="DIR",
        help="The library. Default: $AUDIOSEARCH_LIBRARY, else one in your user data directory.",
        show_default=False,
    ),
]
Results = Annotated[int, typer.Option("-k", "--results", min=1, help="How many results.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Paths = Annotated[bool, typer.Option("--paths", help="Paths only, one a line.")]
Null = Annotated[
    bool, typer.Option("-0", "--null", help="Paths only, as raw bytes ended by NUL, for xargs -0.")
]
Moments = Annotated[
    bool, typer.Option("--moments", help="Every matching stretch, not only each sound's best.")
]
From = Annotated[
    float | None, typer.Option("--from", metavar="SECONDS", help="Use the file from here on.")
]
To = Annotated[
    float | None, typer.Option("--to", metavar="SECONDS", help="Use the file up to here.")
]

_FILTERS = "Filters"
MinDuration = Annotated[
    float | None, typer.Option(metavar="SECONDS", rich_help_panel=_FILTERS, help="Not shorter.")
]
MaxDuration = Annotated[
    float | None, typer.Option(metavar="SECONDS", rich_help_panel=_FILTERS, help="Not longer.")
]
PathGlob = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="GLOB", help='Paths that match, such as "*/doors/*".'),
]
Format = Annotated[list[str] | None, typer.Option(metavar="FORMAT", help="wav, flac, mp3 ...")]
Channels = Annotated[list[int] | None, typer.Option(metavar="N", help="Number of channels.")]
Rate = Annotated[list[int] | None, typer.Option(metavar="HZ", help="Sample rate.")]
Root = Annotated[list[str] | None, typer.Option(metavar="DIR", help="Under this indexed folder.")]
Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Modified since: 2026-01-31, or 7d, 2w, 3m.")
]
Tag = Annotated[
    list[str] | None,
    typer.Option(metavar="[KEY=]WORD", help="Found in the file's embedded or given metadata."),
]


def given(**filters: Any) -> dict[str, Any]:
    """The filters that were used, as `Library.search` takes them."""
    return {name: value for name, value in filters.items() if value not in (None, [], ())}
