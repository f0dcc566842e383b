"""How far a run has come, as told to whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """`stage` is what is being done; `done` of `total` files (`None` while they are being counted).

    `seconds` is the audio decoded and embedded so far in this run; `path` the file last finished.
    """

    stage: Literal["scan", "index", "cache"]
    done: int
    total: int | None
    failed: int = 0
    seconds: float = 0.0
    path: str | None = None
