"""The outline of a sound: lowest and highest sample of each bucket of frames, for drawing it.

A bucket is a power of two of frames, so that buckets of any coarser level are exactly the extremes
of finer ones, and a drawing at any zoom is exact. Levels are int8, full scale at 127, rounded away
from zero so that nothing that sounds is drawn as silence; over all channels together.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.audio.decode import AnyPath, open_audio

# Where a library keeps its outlines.
FOLDER = "peaks"

# Buckets of 256 frames, 5 ms at 48 kHz, are finer than a screen shows; ten hours are kept at 0.7 s.
_FINEST = 256
_MOST_BUCKETS = 1 << 16


@dataclass(frozen=True)
class Peaks:
    """`levels` (n, 2) int8: lowest and highest of each bucket of `frames` frames, at `sample_rate`
    Hz. The last bucket may be shorter."""

    levels: np.ndarray
    frames: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """The length of a bucket."""
        return self.frames / self.sample_rate


def compute(path: AnyPath) -> Peaks:
    """The outline of a file, at the finest level that is kept. Raises `AudioRejected`."""
    with open_audio(path) as stream:
        return outline(stream.blocks(), stream.info.sample_rate)


def first_frames(blocks: Iterable[np.ndarray], frames: int) -> Iterator[np.ndarray]:
    """The first so many frames of blocks."""
    for block in blocks:
        yield block[:frames]
        frames -= len(block)
        if frames <= 0:
            return


def outline(blocks: Iterable[np.ndarray], sample_rate: int) -> Peaks:
    """The outline of (frames, channels) blocks."""
    frames, levels, count = _FINEST, [np.empty((0, 2), np.float32)], 0
    rest = np.empty((0, 2), np.float32)
    for block in blocks:
        extremes = np.stack([block.min(axis=1), block.max(axis=1)], axis=1)
        rest = np.concatenate([rest, np.nan_to_num(extremes)])
        whole = len(rest) // frames * frames
        levels.append(_merged(rest[:whole], frames))
        count += len(levels[-1])
        rest = rest[whole:]
        while count > 2 * _MOST_BUCKETS:
            every = np.concatenate(levels)
            even = len(every) // 2 * 2
            # An odd bucket and the frames after it begin the next one.
            rest = np.concatenate([np.repeat(every[even:], frames, axis=0), rest])
            levels, frames = [_merged(every[:even], 2)], 2 * frames
            count = len(levels[0])
    levels.append(_merged(rest, frames))
    whole_file = Peaks(_as_bytes(np.concatenate(levels)), frames, sample_rate)
    return at_most(whole_file, _MOST_BUCKETS)


def _merged(pairs: np.ndarray, size: int) -> np.ndarray:
    """Extremes (n, 2) of each `size` pairs, the last ones of what is left."""
    if not len(pairs):
        return pairs
    starts = np.arange(0, len(pairs), size)
    low = np.minimum.reduceat(pairs[:, 0], starts)
    high = np.maximum.reduceat(pairs[:, 1], starts)
    return np.stack([low, high], axis=1)


def _as_bytes(levels: np.ndarray) -> np.ndarray:
    away = np.sign(levels) * np.ceil(np.abs(levels) * 127)
    whole: np.ndarray = np.clip(away, -127, 127).astype(np.int8)
    return whole


def at_most(peaks: Peaks, buckets: int) -> Peaks:
    """The finest level that has no more than so many buckets."""
    size = 1
    while -(-len(peaks.levels) // size) > buckets:
        size *= 2
    return Peaks(_merged(peaks.levels, size), peaks.frames * size, peaks.sample_rate)


def between(peaks: Peaks, start: float, end: float) -> tuple[Peaks, float]:
    """The buckets that `start` to `end` seconds touch, and the second at which they begin."""
    first = max(0, int(start / peaks.seconds))
    last = max(first, int(np.ceil(end / peaks.seconds)))
    part = Peaks(peaks.levels[first:last], peaks.frames, peaks.sample_rate)
    return part, first * peaks.seconds


def load(folder: Path, content: str) -> Peaks | None:
    """The outline of the content with that hash, if it is kept in `folder` and not damaged."""
    rotten = (ValueError, KeyError, EOFError, zipfile.BadZipFile)
    with suppress(OSError, *rotten), np.load(_file(folder, content)) as stored:
        levels, (frames, rate) = stored["levels"], stored["scale"].tolist()
        if levels.dtype == np.int8 and levels.ndim == 2 and levels.shape[1] == 2 and rate > 0:
            return Peaks(levels, frames, rate)
    return None


def keep(folder: Path, content: str, peaks: Peaks) -> None:
    """Keep an outline. A folder that cannot be written costs time and nothing else."""
    file = _file(folder, content)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as writing:
            np.savez(writing, levels=peaks.levels, scale=[peaks.frames, peaks.sample_rate])
        os.replace(writing.name, file)  # noqa: PTH105


def _file(folder: Path, content: str) -> Path:
    return folder / content[:2] / f"{content}.npz"
