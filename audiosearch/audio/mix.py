"""From channels to one: the mean, as CLAP was trained, but where the mean is silence.

Channels in opposite phase cancel each other: a swapped cable, a side signal, a decoded difference.
There the loudest channel stands for the sound.
"""

from __future__ import annotations

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


class Mixer:
    """Mixes the blocks of one stream, which may change their number of channels."""

    def __init__(self) -> None:
        self._channel: int | None = None  # the one that stands for the sound; `None`: their mean

    def mix(self, block: np.ndarray) -> np.ndarray:
        """(frames, channels) -> (frames,)."""
        mixed = mono(block)
        if block.shape[1] == 1 or not len(block):
            self._channel = None
            return mixed
        doubtful = _doubtful(block, mixed)
        if self._channel is None and not doubtful.any():
            return mixed
        for number, doubt in enumerate(doubtful):
            place = slice(number * _SECTION, (number + 1) * _SECTION)
            choice = _choice(block[place], mixed[place], self._channel) if doubt else None
            if choice is not None or self._channel is not None:
                mixed[place] = self._turned(block[place], mixed[place], choice)
            self._channel = choice
        return mixed

    def _turned(self, section: np.ndarray, mean: np.ndarray, choice: int | None) -> np.ndarray:
        """The section as chosen, going over from what was heard before."""
        target = mean if choice is None else section[:, choice]
        if choice == self._channel:
            return target
        before = self._channel
        source = mean if before is None or before >= section.shape[1] else section[:, before]
        out = target.copy()
        ramp = np.linspace(0, 1, min(_RAMP, len(section)), dtype=np.float32)
        out[: len(ramp)] = source[: len(ramp)] * (1 - ramp) + target[: len(ramp)] * ramp
        return out


def _doubtful(block: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """(sections,) bool: where the mean has lost most of the power, or has none."""
    channels = block.shape[1]
    power, whole = _powers(mixed[:, None]), _powers(block)
    lost: np.ndarray = power < np.maximum(_CANCELLED * whole / channels**2, _SECTION * SILENCE**2)
    return lost


def _powers(block: np.ndarray) -> np.ndarray:
    """(sections,): the sum of squares of each, over all channels."""
    full = len(block) // _SECTION
    sections = block[: full * _SECTION].reshape(full, _SECTION * block.shape[1])
    powers = np.einsum("ij,ij->i", sections, sections)
    rest = block[full * _SECTION :].ravel()
    return np.append(powers, rest @ rest) if len(rest) else powers


def _choice(section: np.ndarray, mixed: np.ndarray, current: int | None) -> int | None:
    """The channel to hear in place of the mean; `None` where the mean does, or all is silence."""
    channels = section.shape[1]
    powers = [float(section[:, channel] @ section[:, channel]) for channel in range(channels)]
    kept = float(mixed @ mixed) >= _CANCELLED * sum(powers) / channels**2
    if np.abs(section).max() < SILENCE or (kept and np.abs(mixed).max() >= SILENCE):
        return None
    loudest = max(powers)
    if current is not None and current < channels and powers[current] >= loudest / 2:
        return current  # no going to and fro between channels that are as good
    return next((n for n, power in enumerate(powers) if power >= 0.9 * loudest), 0)
