"""The comparison of two fingerprints at every offset.

The agreement of two sounds is the normalised correlation of their changes (-1..1) where they
overlap, at the best offset. Copies of one recording agree by 0.9 and more, takes that only sound
alike by 0.3 or less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audiosearch.audio.fingerprint import HOP_SECONDS, Fingerprint

# One sound is a trim of another where it makes up at least half of it.
LEAST_SHARE = 0.5

# Where both overlap, each must change as much as this part of all its changes: quiet ends are alike
# by chance.
LEAST_POWER = 1 / 3

# Frames are counted, not measured: two ends may each be cut off by one.
_SLACK_FRAMES = 2

# Frames that are so far below the loudest one say little about how loud the sound is.
_LOUD_STEPS = 60

# Up to this size the transforms of all 16 values fit into the processor's own memory at once.
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Agreement:
    """How far two sounds agree, at best.

    `score` is the correlation (-1..1). The second sound begins `offset` seconds after the first one
    (before it where negative); both overlap for `overlap` seconds. The second is louder by `gain`
    decibels.
    """

    score: float
    offset: float
    overlap: float
    gain: float


NO_AGREEMENT = Agreement(0.0, 0.0, 0.0, 0.0)


class Comparable:
    """A fingerprint, and what all its comparisons share."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.levels = fingerprint.levels
        self.count = len(fingerprint.changes)
        self._rows = fingerprint.changes.astype(np.float32)
        # The power of the first 0 to n rows; and that of the means of two neighbours.
        self.power = _sums(self._rows, self._rows)
        neighbours = _sums(self._rows[:-1], self._rows[1:])
        self.mean_power = (self.power + np.append(neighbours, neighbours[-1])[: self.count + 1]) / 2
        self._spectrum: np.ndarray | None = None

    def spectrum(self, size: int) -> np.ndarray:
        """Return the transforms (16, size // 2 + 1) of the values, each filled up to `size`."""
        if self._spectrum is None or self._spectrum.shape[1] != size // 2 + 1:
            self._spectrum = np.fft.rfft(np.ascontiguousarray(self._rows.T), size)
        return self._spectrum

    def columns(self) -> Iterator[np.ndarray]:
        """Yield the values one by one, each (n,) over time."""
        yield from self._rows.T


def agreement(one: Comparable, two: Comparable, least_score: float = -1.0) -> Agreement:
    """Compare two sounds. The overlap is at least `LEAST_SHARE` of the longer one. Below
    `least_score` nobody asks for the gain, a quarter of the work: it is 0.

    Sounds that change nowhere agree by 0: there is nothing to compare.
    """
    least = max(1, int(LEAST_SHARE * max(one.count, two.count)) - _SLACK_FRAMES)
    if min(one.count, two.count) < least:
        return NO_AGREEMENT
    shifts = np.arange(least - two.count, one.count - least + 1)
    begin, end = np.maximum(shifts, 0), np.minimum(one.count, shifts + two.count)
    products = _products(one, two)
    at_shifts, power = products[shifts], one.power[end] - one.power[begin]
    begin_two, end_two = begin - shifts, end - shifts
    other_power = two.power[end_two] - two.power[begin_two]
    whole = _normalised(at_shifts, power * other_power)
    # Frames of two copies can lie half a hop apart. The frame between two neighbours is about their
    # mean, and so are its products.
    halfway = _normalised(
        (at_shifts + products[shifts - 1]) / 2,
        power * (two.mean_power[end_two] - two.mean_power[begin_two]),
    )
    telling = (power >= LEAST_POWER * one.power[-1]) & (other_power >= LEAST_POWER * two.power[-1])
    scores = np.where(telling, np.maximum(whole, halfway), 0.0)
    best = int(np.argmax(scores))
    first, last, shift = int(begin[best]), int(end[best]), int(shifts[best])
    gain = 0.0
    if scores[best] >= least_score:
        gain = _gain(one.levels[first:last], two.levels[first - shift : last - shift])
    seconds = (last - first) * HOP_SECONDS
    return Agreement(float(scores[best]), shift * HOP_SECONDS, seconds, gain)


def _normalised(products: np.ndarray, power: np.ndarray) -> np.ndarray:
    # Values are whole numbers: less power than this is none.
    scores = np.divide(products, np.sqrt(power), out=np.zeros(len(products)), where=power > 0.5)
    bounded: np.ndarray = np.minimum(scores, 1.0)
    return bounded


def _products(one: Comparable, two: Comparable) -> np.ndarray:
    """Return the sums of products at every shift of `two`; negative shifts count from the end."""
    size = 1 << (one.count + two.count).bit_length()
    if size <= _AT_ONCE:
        both = np.einsum("ij,ij->j", one.spectrum(size), two.spectrum(size).conj())
    else:
        both = np.zeros(size // 2 + 1, np.complex64)
        for left, right in zip(one.columns(), two.columns(), strict=True):
            both += np.fft.rfft(left, size) * np.fft.rfft(right, size).conj()
    products: np.ndarray = np.fft.irfft(both, size)
    return products


def _sums(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return (n + 1,): the sums of the products of the first 0 to n rows."""
    rows = np.einsum("ij,ij->i", one, two).astype(np.float64)
    return np.concatenate([[0.0], np.cumsum(rows)])


def _gain(first: np.ndarray, second: np.ndarray) -> float:
    """Return by how many decibels the loud frames of `second` are louder."""
    one, two = first.astype(np.int16), second.astype(np.int16)
    loud = (one > one.max() - _LOUD_STEPS) & (two > two.max() - _LOUD_STEPS)
    return float(np.median((two - one)[loud])) / 2 if loud.any() else 0.0
