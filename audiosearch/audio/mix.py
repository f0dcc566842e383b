"""From channels to one: the mean, as CLAP was trained, but where the mean is silence.

Channels in opposite phase cancel each other: a swapped cable, a side signal, a decoded difference.
There the loudest channel stands for the sound.
"""

from __future__ import annotations

import numpy as np

from audiosearch.audio.resample import mono
from audiosearch.audio.windows import SILENCE

# A third of a second at 48 kHz: verdicts on whole blocks would miss a bark among rain.
_SECTION = 16_384

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
        if block.shape[1] == 1:
            self._channel = None
            return mixed
        for start in range(0, len(block), _SECTION):
            section = block[start : start + _SECTION]
            choice = self._choice(section, mixed[start : start + _SECTION])
            if choice is not None or self._channel is not None:
                mixed[start : start + _SECTION] = self._turned(
                    section, mixed[start : start + _SECTION], choice
                )
            self._channel = choice
        return mixed

    def _choice(self, section: np.ndarray, mixed: np.ndarray) -> int | None:
        """The channel to hear in place of the mean, if any."""
        channels = section.shape[1]
        flat = section.ravel(order="K")
        power, whole = float(mixed @ mixed), float(flat @ flat)
        kept = power >= _CANCELLED * whole / channels**2
        if kept and power >= len(section) * SILENCE**2:
            return None
        if np.abs(flat).max() < SILENCE or (kept and np.abs(mixed).max() >= SILENCE):
            return None
        powers = [float(section[:, channel] @ section[:, channel]) for channel in range(channels)]
        return int(np.argmax(powers))

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
