"""Exact windows of a stream of samples: each as long as the model wants, none of the sound left out.

`length` and `hop` are in samples; times are in seconds from the start of the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

# -90 dBFS: below the noise of any recording, above the rounding of 16 bits.
SILENCE = 10 ** (-90 / 20)


@dataclass(frozen=True)
class Window:
    """`samples` (length,) float32, from `start` to `end` seconds; `silent`: peak below -90 dBFS."""

    index: int
    start: float
    end: float
    samples: np.ndarray
    silent: bool


def fit_window(samples: np.ndarray, length: int, padding: str) -> np.ndarray:
    """Samples no longer than `length`, padded to it.

    As `transformers.ClapFeatureExtractor` does: ``repeatpad`` repeats the whole sound as often as it
    fits and fills up with zeros, ``repeat`` repeats it to the end, ``pad`` only fills up.
    """
    count = len(samples)
    if count == length:
        return samples
    if padding == "repeat":
        return np.tile(samples, length // count + 1)[:length]
    times = length // count if padding == "repeatpad" else 1
    fitted = np.zeros(length, dtype=samples.dtype)
    fitted[: times * count] = np.tile(samples, times)
    return fitted


def cut_windows(
    blocks: Iterable[np.ndarray], length: int, hop: int, rate: int, padding: str = "repeatpad"
) -> Iterator[Window]:
    """Windows at 0, hop, 2 hop ...; the last is right-aligned, so that the tail is in one too.

    A sound no longer than a window is one window, padded. No samples, no window. A window is given
    once the sample behind it was seen, so the last one comes after the blocks ran out.
    """
    if not 0 < hop <= length:
        raise ValueError(f"a hop of {hop} for windows of {length} leaves sound out")
    buffer = np.empty(0, dtype=np.float32)
    start = offset = index = 0  # where the buffer begins in the stream, and the next window in it
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while len(buffer) - offset > length:
            yield _window(index, start + offset, buffer[offset : offset + length].copy(), rate)
            index += 1
            offset += hop
        # Kept from one hop before the next window on: the tail may have to reach back that far.
        drop = max(0, offset - hop)
        buffer, start, offset = buffer[drop:], start + drop, offset - drop
    total = start + len(buffer)
    if total == 0:
        return
    if total <= length:
        samples = fit_window(buffer, length, padding)
        yield Window(0, 0.0, total / rate, samples, _silent(buffer))
    else:
        yield _window(index, total - length, buffer[-length:].copy(), rate)


def _window(index: int, start: int, samples: np.ndarray, rate: int) -> Window:
    return Window(index, start / rate, (start + len(samples)) / rate, samples, _silent(samples))


def _silent(samples: np.ndarray) -> bool:
    return max(float(samples.max()), -float(samples.min())) < SILENCE
