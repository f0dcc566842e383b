"""What a watch tells, and how it is set up. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from indexer.summary import Summary


@dataclass(frozen=True)
class WatchOptions:
    """`poll`: look at every folder that often, without hints of the operating system; by default
    that is done where there are none, as often as costs little. `settle`: a file is complete when
    its size and time have been the same for so long. `workers` is the number of decoding processes,
    by default one for each processor.
    """

    poll: float | None = None
    settle: float = 2.0
    workers: int | None = None


@dataclass(frozen=True)
class WatchEvent:
    """Something that a watch tells. `text` is one line for people.

    The kinds: ``watching`` (the `folders` are watched from now on, the first `polled` of them by
    looking at times), ``indexed`` (a burst of changes in `paths` is in the library; `summary` counts
    them), ``waiting`` (another program writes to the library), ``notice`` (something that somebody
    should know).
    """

    kind: Literal["watching", "indexed", "waiting", "notice"]
    text: str
    folders: tuple[str, ...] = ()
    polled: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    summary: Summary | None = None
