"""Alarm sounds from formulas: exact, free of rights, the same on every machine.

Each function returns mono float samples in -1..1, shape (samples,), at `RATE`.
"""

from __future__ import annotations

import numpy as np

RATE = 44100
# About -6 dBFS: as loud as the recordings beside them, with room for the sum of the harmonics.
_PEAK = 0.5
# Long enough to start and stop without a click, too short to be heard as a fade.
_FADE_SECONDS = 0.01


def siren_wail() -> np.ndarray:
    """A mechanical police siren: 600 to 1,350 Hz and back, every 4 s, twice."""
    seconds = np.arange(8 * RATE) / RATE
    frequency = 975 - 375 * np.cos(2 * np.pi * seconds / 4)
    return _shaped(_tone(frequency, harmonics=(1, 0.5, 0.33, 0.2)))


def siren_two_tone() -> np.ndarray:
    """An ambulance of the European kind: 435 and 580 Hz (DIN 14610), half a second each, six times."""
    high = (np.arange(6 * RATE) // (RATE // 2)) % 2
    frequency = np.where(high == 1, 580.0, 435.0)
    return _shaped(_tone(frequency, harmonics=(1, 0.4, 0.5, 0.2, 0.2)))


def smoke_alarm() -> np.ndarray:
    """A smoke detector: the "temporal three" of ISO 8201, 3.1 kHz, twice.

    Three beeps of 0.5 s with 0.5 s between, then 1.5 s of silence.
    """
    beep = _shaped(_tone(np.full(RATE // 2, 3100.0), harmonics=(1, 0.15)))
    gap = np.zeros(RATE // 2)
    cycle = np.concatenate([beep, gap, beep, gap, beep, gap, gap, gap])
    return np.concatenate([cycle, cycle])


SOUNDS = {
    "siren_wail": siren_wail,
    "siren_two_tone": siren_two_tone,
    "smoke_alarm": smoke_alarm,
}


def _tone(frequency: np.ndarray, harmonics: tuple[float, ...]) -> np.ndarray:
    """A tone that follows `frequency` (hertz per sample), its harmonics with these amplitudes."""
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    return sum(
        (amplitude * np.sin(n * phase) for n, amplitude in enumerate(harmonics, start=1)),
        start=np.zeros(len(frequency)),
    )


def _shaped(samples: np.ndarray) -> np.ndarray:
    """`samples` at the common peak, faded in and out."""
    shaped = samples * (_PEAK / np.abs(samples).max())
    ramp = np.linspace(0, 1, round(_FADE_SECONDS * RATE))
    shaped[: len(ramp)] *= ramp
    shaped[-len(ramp) :] *= ramp[::-1]
    return shaped
