"""From channels to one: the mean, as CLAP was trained, but where the mean is silence.

Channels in opposite phase cancel each other: a swapped cable, a side signal, a decoded difference.
There the loudest channel stands for the sound; of more than
two channels, one of each two that are opposite is left out.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from audiosearch.audio.resample import mono
from audiosearch.audio.windows import SILENCE

# 85 ms at 48 kHz: verdicts on whole blocks would miss a bark among rain.
_SECTION = 4_096

# The mean of channels that have nothing in common keeps a share of 1 / channels of their power. At
# a fifth of that (of two channels: a correlation of -0.8) it cancels.
_CANCELLED = 0.2

# Going from mean to channel and back takes so many frames: no click.
_RAMP = 256


# Two channels of more that are so much alike, turned around, cancel each other whatever the others do.
_OPPOSITE = -0.8


class Mixer:
    """Mixes the blocks of one stream, which may change their number of channels."""

    def __init__(self) -> None:
        self._weights: np.ndarray | None = None  # of each channel; `None`: their mean

    def mix(self, block: np.ndarray) -> np.ndarray:
        """(frames, channels) -> (frames,)."""
        mixed = mono(block)
        if block.shape[1] == 1 or not len(block):
            self._weights = None
            return mixed
        if self._weights is not None and len(self._weights) != block.shape[1]:
            self._weights = None
        doubtful = _doubtful(block, mixed)
        if self._weights is None and not doubtful.any():
            return mixed
        for number, doubt in enumerate(doubtful):
            place = slice(number * _SECTION, (number + 1) * _SECTION)
            weights = _choice(block[place], mixed[place], self._weights) if doubt else None
            if weights is not None or self._weights is not None:
                mixed[place] = self._turned(block[place], mixed[place], weights)
            self._weights = weights
        return mixed

    def _turned(
        self, section: np.ndarray, mean: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """The section as chosen, going over from what was heard before."""
        target = mean if weights is None else section @ weights
        before = self._weights
        if before is weights or (
            before is not None and weights is not None and np.array_equal(before, weights)
        ):
            return target
        source = mean if before is None else section @ before
        out = target.copy()
        ramp = np.linspace(0, 1, min(_RAMP, len(section)), dtype=np.float32)
        out[: len(ramp)] = source[: len(ramp)] * (1 - ramp) + target[: len(ramp)] * ramp
        return out


def _doubtful(block: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """(sections,) bool: where the mean has lost most of the power, or has none, or of several
    channels two cancel each other."""
    channels = block.shape[1]
    power, whole = _powers(mixed[:, None]), _powers(block)
    lost: np.ndarray = power < np.maximum(_CANCELLED * whole / channels**2, _SECTION * SILENCE**2)
    if channels > 2:
        starts = range(0, len(block), _SECTION)
        lost |= np.array([bool(_muted(block[start : start + _SECTION])) for start in starts])
    return lost


def _powers(block: np.ndarray) -> np.ndarray:
    """(sections,): the sum of squares of each, over all channels."""
    full = len(block) // _SECTION
    sections = block[: full * _SECTION].reshape(full, _SECTION * block.shape[1])
    powers = np.einsum("ij,ij->i", sections, sections)
    rest = block[full * _SECTION :].ravel()
    return np.append(powers, rest @ rest) if len(rest) else powers


def _muted(section: np.ndarray) -> list[int]:
    """The channels of which another one is the opposite: of each two the quieter one, or the later
    where they are about as loud."""
    products = section.T @ section
    powers = np.diagonal(products)
    muted: list[int] = []
    for one, two in combinations(range(len(powers)), 2):
        heard = powers[one] * powers[two] > (len(section) * SILENCE**2) ** 2
        if one in muted or two in muted or not heard:
            continue
        if products[one, two] < _OPPOSITE * np.sqrt(powers[one] * powers[two]):
            muted.append(one if powers[one] < powers[two] / 2 else two)
    return muted


def _choice(
    section: np.ndarray, mixed: np.ndarray, current: np.ndarray | None
) -> np.ndarray | None:
    """The weight of each channel in place of the mean; `None` where the mean does, or all is
    silence."""
    channels = section.shape[1]
    powers = [float(section[:, channel] @ section[:, channel]) for channel in range(channels)]
    if np.abs(section).max() < SILENCE:
        return None
    weights = np.full(channels, 1 / channels, np.float32)
    if channels > 2:
        muted = _muted(section)
        weights[:] = 1 / (channels - len(muted))
        weights[muted] = 0
        mixed = section @ weights
    least = _CANCELLED * sum(powers) / channels**2
    if float(mixed @ mixed) >= least and np.abs(mixed).max() >= SILENCE:
        return None if weights.all() else weights
    loudest = max(powers)
    chosen = next((n for n, power in enumerate(powers) if power >= 0.9 * loudest), 0)
    if current is not None and np.count_nonzero(current) == 1:
        before = int(current.argmax())
        # No going to and fro between channels that are as good.
        chosen = before if powers[before] >= loudest / 2 else chosen
    alone = np.zeros(channels, np.float32)
    alone[chosen] = 1
    return alone
