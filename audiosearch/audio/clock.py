"""The clock of a container: where its sound begins late, where there are gaps, and where it was set
anew. Times are in seconds."""

from __future__ import annotations

# Times are rounded (milliseconds in Matroska and Flash), and stamps of packets are coarse.
_JITTER = 0.1

# Two frames of a decoder that looks ahead, the longest there are.
_DELAY = 0.5

# Nobody waits longer; a clock that jumps so far was set anew.
LONGEST_GAP = 6 * 3600.0


class Clock:
    """Where the sound is on the container's clock, in seconds. `zero`: when the container begins;
    `begins`: when this stream does."""

    def __init__(self, zero: float | None, begins: float | None) -> None:
        self._zero, self._begins = zero, begins
        self._begun = False
        self.position = self.lead = 0.0
        self.jumps = 0

    def gap_before(self, time: float | None) -> float:
        """Seconds of silence before a frame; they are part of `position` from then on."""
        if time is None:
            return 0.0
        if not self._begun:
            self._begin(time)
        gap = time - self._zero - self.position if self._zero is not None else 0.0
        first, self._begun = not self._begun, True
        if abs(gap) <= _JITTER:
            return 0.0
        if gap < 0 or gap > LONGEST_GAP:  # the clock was set anew
            self._zero = time - self.position
            self.jumps += gap > 0
            return 0.0
        self.position += gap
        if first:
            self.lead = gap
        return gap

    def _begin(self, time: float) -> None:
        if self._zero is None:
            self._zero = time
        elif self._begins is not None and 0 <= time - self._begins < _DELAY:
            # What comes out of a decoder first may have a later time than what went in.
            self._zero += time - self._begins
