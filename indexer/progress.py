"""The progress of a run, for the program that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """A run at one moment. `stage` is its current step. `done` of `total` files are finished;
    `total` is `None` while the run counts them.

    `seconds` is the audio decoded and embedded so far in this run. `path` is the file finished
    last.
    """

    stage: Literal["scan", "index", "cache"]
    done: int
    total: int | None
    failed: int = 0
    seconds: float = 0.0
    path: str | None = None
