"""Longer recordings in which something happens late, put together from sounds of the library.

They show that a hit names the second at which it is heard. Samples are mono floats, shape
(samples,), at `RATE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 44100
# Where the bed repeats, its end and its beginning overlap for this long.
_OVERLAP_SECONDS = 1.0


@dataclass(frozen=True)
class Scene:
    """A quiet bed, repeated to `seconds`, and one event that begins at `start`; gains in dB."""

    bed: str
    bed_gain: float
    seconds: float
    event: str
    event_gain: float
    start: float
    label: str


SCENES = {
    "wet_evening": Scene(
        "weather/downpour.ogg", -12, 21, "animals/dogs.mp3", 0, 14, "dogs barking"
    ),
    "early_morning": Scene(
        "weather/wind.ogg", -14, 24, "animals/farmyard.mp3", -3, 17, "rooster crowing"
    ),
}


def render(scene: Scene, library: Path) -> tuple[np.ndarray, str]:
    """The samples, and the event as the manifest states it: `label@start-end` in seconds."""
    event = _read(library / scene.event) * _factor(scene.event_gain)
    mixed = _repeated(_read(library / scene.bed), round(scene.seconds * RATE))
    mixed *= _factor(scene.bed_gain)
    first = round(scene.start * RATE)
    mixed[first : first + len(event)] += event
    return mixed, f"{scene.label}@{scene.start:.1f}-{scene.start + len(event) / RATE:.1f}"


def _read(path: Path) -> np.ndarray:
    """A file of the library at `RATE`, mono."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE)


def _repeated(samples: np.ndarray, length: int) -> np.ndarray:
    """`samples` repeated to `length`, each time cross-faded at constant power into the next."""
    overlap = round(_OVERLAP_SECONDS * RATE)
    fade = np.sqrt(np.linspace(0, 1, overlap))
    result = samples
    while len(result) < length:
        seam = result[-overlap:] * fade[::-1] + samples[:overlap] * fade
        result = np.concatenate([result[:-overlap], seam, samples[overlap:]])
    return result[:length].copy()


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
