"""One channel at one rate, block by block. Samples are float32, full scale at 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

QUALITY = "HQ"


class Resampler:
    """soxr on blocks: (frames,) for one channel, else (frames, channels)."""

    def __init__(self, source: int, target: int, channels: int = 1) -> None:
        self.kind = source, target, channels
        self._stream = soxr.ResampleStream(source, target, channels, "float32", QUALITY)
        self._nothing = np.empty((0, channels) if channels > 1 else 0, np.float32)

    def resample(self, samples: np.ndarray) -> np.ndarray:
        """What comes out for a block; it lags a little behind."""
        if self.kind[2] == 1 and samples.ndim == 2:
            return self.resample(samples[:, 0])[:, None]
        out: np.ndarray = self._stream.resample_chunk(samples)
        return out

    def flush(self) -> np.ndarray:
        """(frames, channels): the rest."""
        out: np.ndarray = self._stream.resample_chunk(self._nothing, last=True)
        return out if out.ndim == 2 else out[:, None]


def mono(block: np.ndarray) -> np.ndarray:
    """(frames, channels) -> (frames,): the mean of the channels, as CLAP was trained."""
    channels = block.shape[1]
    mixed = block[:, 0].copy()
    for channel in range(1, channels):  # ten times faster than a mean over a short axis
        mixed += block[:, channel]
    mixed /= channels
    return mixed


def resampled(
    blocks: Iterable[np.ndarray], source_rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """(frames,) blocks at another rate (Hz); what comes out does not depend on where blocks are
    cut."""
    return resampled_runs(((block, source_rate) for block in blocks), target_rate)


def resampled_runs(
    blocks: Iterable[tuple[np.ndarray, int]], target_rate: int
) -> Iterator[np.ndarray]:
    """(frames,) blocks that each have a rate of their own (Hz), at one."""
    resampler: Resampler | None = None
    current = target_rate
    for block, rate in blocks:
        if rate != current:
            if resampler is not None:
                yield from _some(resampler.flush()[:, 0])
            resampler = None if rate == target_rate else Resampler(rate, target_rate)
            current = rate
        yield from _some(block if resampler is None else resampler.resample(block))
    if resampler is not None:
        yield from _some(resampler.flush()[:, 0])


def _some(block: np.ndarray) -> Iterator[np.ndarray]:
    if len(block):
        yield block
