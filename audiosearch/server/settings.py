"""The settings of a server. Sizes are in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """`names`: by which other machines call this one (`LOOPBACK` is always allowed); requests by
    any other name are refused, since a page elsewhere may have been tricked into making them.
    `origins`: of pages elsewhere that may use the API from a browser. `need_key`: every request
    but for the page itself needs one. `uploads`: the folder into which uploaded sounds go; none
    are taken without it.

    `most_body` and `most_upload` bound a request, `concurrent` the requests in hand, `per_second`
    those of one key or address (`None`: any number), `stalled` how long a client may keep neither
    sending nor reading. `watch`: keep the library up to date with its folders while they change;
    `poll` is that of `Library.watch`. `folders`: those at and below which clients that may write can
    add folders to the library; none by default.
    """

    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    need_key: bool = False
    uploads: Path | None = None
    most_body: int = 1_000_000
    most_upload: int = 200_000_000
    concurrent: int = 64
    per_second: float | None = None
    stalled: float = 30.0
    access_log: bool = False
    watch: bool = False
    folders: tuple[Path, ...] = ()
    poll: float | None = None
