"""A file, or a part of it, as the windows that a model sees; with a verdict where it has none.

The same path serves indexing and query by example. Times are in seconds from the start of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from audiosearch.audio.decode import AnyPath, AudioInfo, AudioStream, open_audio
from audiosearch.audio.resample import mono, resampled
from audiosearch.audio.windows import Window, cut_windows
from audiosearch.errors import AudioRejected, InvalidQuery

# +120 dBFS. Float files may go beyond full scale; what goes so far is not samples but other bytes,
# and its power overflows.
_LOUDEST = 1e6

# A recorder that ran for four days. What decodes to more is a file made to keep a decoder busy:
# an hour of silence is 6 KB of flac.
LONGEST_HOURS = 100


@dataclass
class Reading:
    """What is known of a file while it is read, and final once its windows ran out.

    `duration`: seconds decoded, from the file's start to the end of the range. `peak`: of the mono
    sound, full scale at 1. `truncated`: how much of what the header declares is missing.
    """

    info: AudioInfo
    duration: float
    peak: float = 0.0
    truncated: str | None = None


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
) -> Iterator[tuple[Reading, Iterator[Window]]]:
    """Open a file and cut it into windows of `length` samples at `rate` Hz, every `hop` samples.

    Decoding goes on while the windows are taken. Raises `InvalidQuery` for a range that is empty or
    begins behind the end, and `AudioRejected`, also while the windows are taken: ``undecodable``,
    ``empty``, ``nan``, ``silent`` (after the last window), ``refused`` or ``unreadable``.
    """
    if start < 0 or (end is not None and not end > start):
        raise InvalidQuery(f"a sound from {start:g} s to {end or 0:g} s is no sound")
    with open_audio(path) as stream:
        reading = Reading(stream.info, duration=start)
        samples = resampled(_mono_range(stream, reading, end), stream.info.sample_rate, rate)
        yield reading, _windows(cut_windows(samples, length, hop, rate, padding), reading, start)


def _mono_range(stream: AudioStream, reading: Reading, end: float | None) -> Iterator[np.ndarray]:
    """Checked (frames,) blocks from `reading.duration` seconds to `end`; keeps `reading` up to
    date."""
    rate = stream.info.sample_rate
    position = round(reading.duration * rate)
    last = None if end is None else round(end * rate)
    for block in stream.blocks(position):
        mixed = mono(block if last is None else block[: last - position])
        finite = np.isfinite(mixed)
        if not finite.all():
            second = (position + int(np.argmin(finite))) / rate
            raise AudioRejected("nan", f"it holds NaN or infinite samples, at {second:.3f} s")
        position += len(mixed)
        reading.duration = position / rate
        if reading.duration > LONGEST_HOURS * 3600:
            raise AudioRejected("refused", f"it decodes to more than {LONGEST_HOURS} hours")
        reading.peak = max(reading.peak, float(np.abs(mixed).max(initial=0.0)))
        if reading.peak > _LOUDEST:
            raise AudioRejected(
                "refused", f"it holds samples of {reading.peak:.0e} times full scale"
            )
        yield mixed
        if position == last:
            return
    reading.truncated = stream.truncated


def _windows(windows: Iterator[Window], reading: Reading, start: float) -> Iterator[Window]:
    """The windows in the file's time, and the verdict on the whole of them."""
    heard = False
    for window in windows:
        heard = heard or not window.silent
        # Resampling rounds the number of samples: no window ends behind the file.
        until = min(start + window.end, reading.duration)
        yield replace(window, start=start + window.start, end=until)
    if reading.duration == start:
        if start:
            raise InvalidQuery(f"the sound ends before {start:g} s")
        raise AudioRejected("empty", "it holds no samples")
    if not heard:
        # Ultrasound alone is silence too, at the rate of the model.
        raise AudioRejected("silent", "it is silent (peak below -90 dBFS)")
