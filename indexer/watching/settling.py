"""Which changed files are complete: those that look the same for some seconds.

A state is (size, mtime_ns) of a file, or `GONE`. Times are in seconds of a clock that never jumps,
so neither the machine's clock nor a file server's matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

State = tuple[int, int]
GONE: State = (-1, -1)


@dataclass
class Settling:
    """Changed files by path, with the state in which each was seen last, and since when."""

    _seen: dict[bytes, tuple[State, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, path: bytes, state: State, now: float) -> None:
        """A file was seen in this state."""
        before = self._seen.get(path)
        if before is None or before[0] != state:
            self._seen[path] = (state, now)

    def drop(self, paths: Iterable[bytes]) -> None:
        """Nothing more is to be done about these files."""
        for path in paths:
            self._seen.pop(path, None)

    def of_age(self, seconds: float, now: float) -> dict[bytes, State]:
        """The files that are due. They stay here."""
        due = self._due(seconds)
        return {path: state for path, (state, _) in self._seen.items() if now >= due[path]}

    def next_due(self, seconds: float) -> float | None:
        """When the next file is due; `None` where none is left."""
        return min(self._due(seconds).values(), default=None)

    def _due(self, seconds: float) -> dict[bytes, float]:
        """When each file will have been in one state for so long.

        One that is gone and one that came may be the halves of a rename of which a look saw the first
        alone: each waits for those of the other kind, twice as long at most.
        """
        latest = {True: -math.inf, False: -math.inf}
        for state, since in self._seen.values():
            latest[state == GONE] = max(latest[state == GONE], since)
        return {
            path: max(since, min(latest[state != GONE], since + seconds)) + seconds
            for path, (state, since) in self._seen.items()
        }

    def states(self) -> Mapping[bytes, State]:
        """Every file with its last state."""
        return {path: state for path, (state, _) in self._seen.items()}
