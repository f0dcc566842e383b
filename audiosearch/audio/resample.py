"""One channel at one rate, block by block. Samples are float32, full scale at 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

QUALITY = "HQ"


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
    if source_rate == target_rate:
        yield from blocks
        return
    resampler = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality=QUALITY)
    for block in blocks:
        out = resampler.resample_chunk(block)
        if len(out):
            yield out
    out = resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)
    if len(out):
        yield out
