"""A file, or a part of it, as the windows that a model sees; with a verdict where it has none.

The same path serves indexing and query by example. Times are in seconds on the container's clock,
which begins with whatever begins first in it; in most files that is the sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from audiosearch.audio.decode import AnyPath, AudioInfo, AudioStream, open_audio
from audiosearch.audio.loudness import LoudnessMeter
from audiosearch.audio.mix import Mixer
from audiosearch.audio.resample import resampled_runs
from audiosearch.audio.stream import Alive
from audiosearch.audio.windows import Window, cut_windows
from audiosearch.errors import AudioRejected, InvalidQuery

# +120 dBFS. Float files may go beyond full scale; what goes so far is not samples but other bytes,
# and its power overflows.
_LOUDEST = 1e6

# A recorder that ran for four days. What decodes to more is a file made to keep a decoder busy:
# an hour of silence is 6 KB of flac.
LONGEST_HOURS = 100
_LONGEST = LONGEST_HOURS * 3600.0


@dataclass
class Reading:
    """What is known of a file while it is read, and final once its windows ran out.

    `duration`: seconds from the file's start to the end of the last sample, or of the range.
    `peak`: of the mono sound, full scale at 1. `truncated`: how much of what the header declares is
    missing. `notices`: where else header and file disagree, and what of the file is not heard.
    `meter`, where there is one, hears the channels before they are mixed.
    """

    info: AudioInfo
    duration: float
    peak: float = 0.0
    meter: LoudnessMeter | None = None
    truncated: str | None = None
    notices: list[str] = field(default_factory=list)


@contextmanager
def read_windows(
    path: AnyPath,
    *,
    rate: int,
    length: int,
    hop: int,
    padding: str = "repeatpad",
    start: float = 0.0,
    end: float | None = None,
    alive: Alive = lambda: None,
    meter: LoudnessMeter | None = None,
) -> Iterator[tuple[Reading, Iterator[Window]]]:
    """Open a file and cut it into windows of `length` samples at `rate` Hz, every `hop` samples.

    Decoding goes on while the windows are taken; `alive` is called at each step of it. Raises
    `InvalidQuery` for a range that is empty or begins behind the end, and `AudioRejected`, also
    while the windows are taken: ``undecodable``, ``empty``, ``nan``, ``silent`` (after the last
    window), ``refused`` or ``unreadable``.
    """
    check_range(start, end)
    with open_audio(path, alive) as stream:
        reading = Reading(stream.info, duration=start, meter=meter)
        samples = resampled_runs(_mono_range(stream, reading, end, alive), rate)
        yield reading, _windows(cut_windows(samples, length, hop, rate, padding), reading, start)


def check_range(start: float, end: float | None) -> None:
    """Raises `InvalidQuery` where `start` to `end` seconds is no part of any sound."""
    # Written so that NaN is refused too.
    if not 0 <= start < math.inf or (end is not None and not end > start):
        until = "its end" if end is None else f"{end:g} s"
        raise InvalidQuery(f"a sound from {start:g} s to {until} is no sound")


def _mono_range(
    stream: AudioStream, reading: Reading, end: float | None, alive: Alive
) -> Iterator[tuple[np.ndarray, int]]:
    """Checked (frames,) blocks from `reading.duration` seconds to `end`, each with its rate; keeps
    `reading` up to date."""
    mixer, rate, base = Mixer(), 0, 0.0
    position = 0  # in frames at `rate`, from `base` seconds on
    for samples, own in stream.pieces(round(reading.duration * stream.info.sample_rate)):
        alive()
        if own != rate:
            first, base, position, rate = rate == 0, reading.duration, 0, own
            if first:  # counted from the start of the file: no rounding adds up
                base, position = 0.0, round(reading.duration * rate)
        last = None if end is None else round(min(end - base, _LONGEST) * rate)
        mixed = mixer.mix(samples if last is None else samples[: max(0, last - position)])
        finite = np.isfinite(mixed)
        if not finite.all():
            second = base + (position + int(np.argmin(finite))) / rate
            raise AudioRejected("nan", f"it holds NaN or infinite samples, at {second:.3f} s")
        position += len(mixed)
        reading.duration = base + position / rate
        if reading.duration > _LONGEST:
            raise AudioRejected("refused", f"it decodes to more than {LONGEST_HOURS} hours")
        reading.peak = max(reading.peak, float(np.abs(mixed).max(initial=0.0)))
        if reading.peak > _LOUDEST:
            raise AudioRejected(
                "refused", f"it holds samples of {reading.peak:.0e} times full scale"
            )
        if reading.meter is not None:
            reading.meter.add(samples[: len(mixed)], own)
        yield mixed, rate
        if last is not None and position >= last:
            return
    reading.truncated, reading.notices = stream.truncated, stream.notices


def _windows(windows: Iterator[Window], reading: Reading, start: float) -> Iterator[Window]:
    """The windows in the file's time, and the verdict on the whole of them."""
    heard = False
    for window in windows:
        heard = heard or not window.silent
        # Resampling rounds the number of samples: no window ends behind the file.
        until = min(start + window.end, reading.duration)
        yield replace(window, start=start + window.start, end=until)
    if not heard and reading.duration == start:
        if start:
            raise InvalidQuery(f"the sound ends before {start:g} s")
        raise AudioRejected("empty", "it holds no samples")
    if not heard:
        # Ultrasound alone is silence too, at the rate of the model.
        raise AudioRejected("silent", "it is silent (peak below -90 dBFS)")
