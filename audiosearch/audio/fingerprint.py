"""The fingerprint of a sound: how its spectrum changes, which survives formats, rates and levels.

The sound is mixed to one channel at 16 kHz and cut into frames of 64 ms, 20 ms apart. The power of
a frame in 17 bands, each a third of an octave wide, is taken in decibels. A value of the
fingerprint is the change, over two frames, of the difference between two neighbouring bands, in
16 values a frame (J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR
2002, keep the sign of it). Loudness cancels out of it, and so does every steady colouring of the
sound. What is left is what differs between two takes of one scene, even of steady rain.

Times are in seconds, levels in decibels relative to full scale.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.audio.decode import AnyPath
    from audiosearch.audio.stream import Alive, AudioStream

# Another way to compute fingerprints gets another number: stored ones are then computed anew.
VERSION = 1

HOP_SECONDS = 0.02
VALUES = 16

_RATE = 16_000
_HOP = round(HOP_SECONDS * _RATE)
_FRAME = 1_024
# From below the voice of a door to below half the lowest usual rate, 16 kHz.
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 7_000.0
# A change is taken over as many frames, so that both hardly overlap.
_LAG = 2

# What is so far below the loudest band of the whole sound is the noise of coders, and does not count.
_RANGE_DB = 60.0
# A change counts up to 6 dB, in 7 steps each way, so that an onset does not outweigh all else.
_MOST_DB = 6.0
_STEPS = 7

# A level is stored in a byte: half decibels from -100 dB on.
_LEAST_LEVEL = -100.0
_LEVEL_STEP = 0.5

# Longer recordings are compared by their first twelve hours: these fill 20 MB.
_LONGEST_SECONDS = 12 * 3600.0
_BATCH_FRAMES = 4_096
_TINY = 1e-12


@dataclass(frozen=True)
class Fingerprint:
    """`changes` (n, 16) int8, -7 to 7: one row every 20 ms. `levels` (n,) uint8: how loud each
    frame is, in half decibels above -100 dB.
    """

    changes: np.ndarray
    levels: np.ndarray

    @property
    def seconds(self) -> float:
        """The length of what it covers."""
        return len(self.changes) * HOP_SECONDS

    def to_bytes(self) -> bytes:
        """Return its stored form: zlib over two values a byte, then the levels."""
        pairs = (self.changes + _STEPS).astype(np.uint8).reshape(-1, 2)
        return zlib.compress((pairs[:, 0] << 4 | pairs[:, 1]).tobytes() + self.levels.tobytes(), 1)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Fingerprint:
        """Return a stored fingerprint. Raises `ValueError` where it is damaged."""
        try:
            raw = np.frombuffer(zlib.decompress(stored), np.uint8)
        except zlib.error as error:
            raise ValueError("a fingerprint is damaged") from error
        count, rest = divmod(len(raw), VALUES // 2 + 1)
        if rest:
            raise ValueError("a fingerprint has the wrong length")
        packed, levels = raw[: count * VALUES // 2], raw[count * VALUES // 2 :]
        pairs = np.stack([packed >> 4, packed & 15], axis=1).astype(np.int8)
        return cls(pairs.reshape(count, VALUES) - np.int8(_STEPS), levels)


def fingerprint_file(path: AnyPath, alive: Alive = lambda: None) -> Fingerprint:
    """Return the fingerprint of a file; `alive` is called at each step. Raises `AudioRejected`."""
    # The catalog reads fingerprints without the decoders, which take long to load.
    from audiosearch.audio.decode import open_audio

    with open_audio(path, alive) as stream:
        return fingerprint(_mono(stream, alive))


def _mono(stream: AudioStream, alive: Alive) -> Iterator[tuple[np.ndarray, int]]:
    from audiosearch.audio.mix import Mixer

    mixer, seconds = Mixer(), 0.0
    for samples, rate in stream.pieces():
        alive()
        yield np.nan_to_num(mixer.mix(samples)), rate
        seconds += len(samples) / rate
        if seconds > _LONGEST_SECONDS:
            return


def fingerprint(blocks: Iterable[tuple[np.ndarray, int]]) -> Fingerprint:
    """Return the fingerprint of (frames,) float32 blocks of one channel, each with its rate in Hz."""
    from audiosearch.audio.resample import resampled_runs

    bands = np.concatenate(
        [np.empty((0, VALUES + 1), np.float16), *_bands(resampled_runs(blocks, _RATE))]
    )
    if not len(bands):
        return Fingerprint(np.empty((0, VALUES), np.int8), np.empty(0, np.uint8))
    # Half the precision of single floats, and half the memory: 60 MB for ten hours.
    floor = np.float16(float(bands.max()) - _RANGE_DB)
    changes, levels = [], []
    for first in range(0, len(bands), _BATCH_FRAMES):
        part = bands[max(0, first - _LAG) : first + _BATCH_FRAMES].astype(np.float32)
        audible = np.maximum(part, np.float32(floor))
        slopes = audible[:, :-1] - audible[:, 1:]
        steps = np.clip(slopes[_LAG:] - slopes[:-_LAG], -_MOST_DB, _MOST_DB) * (_STEPS / _MOST_DB)
        changes.append(np.rint(steps).astype(np.int8))
        power = np.power(10.0, part[_LAG if first else 0 :] / 10).sum(axis=1)
        half_decibels = (10 * np.log10(power) - _LEAST_LEVEL) / _LEVEL_STEP
        levels.append(np.clip(np.rint(half_decibels), 0, 255).astype(np.uint8))
    # The first frames are silent, and have nothing before them to change from.
    return Fingerprint(np.concatenate(changes), np.concatenate(levels)[_LAG:])


def _bands(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the bands (n, 17) of consecutive frames in dB, float16. The first and the last ones lie
    before and behind the sound, so that a click of a few milliseconds changes something too.
    """
    silence = np.zeros(_FRAME // 2 + _LAG * _HOP, np.float32)
    rest = silence
    for block in blocks:
        for begin in range(0, len(block), _BATCH_FRAMES * _HOP):
            rest = np.concatenate([rest, block[begin : begin + _BATCH_FRAMES * _HOP]])
            yield _of_frames(rest)
            rest = rest[max(0, (len(rest) - _FRAME) // _HOP + 1) * _HOP :]
    yield _of_frames(np.concatenate([rest, silence]))


def _of_frames(samples: np.ndarray) -> np.ndarray:
    if len(samples) < _FRAME:
        return np.empty((0, VALUES + 1), np.float16)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    window, shares = _tables()
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 @ shares
    decibels: np.ndarray = (10 * np.log10(np.maximum(power, _TINY))).astype(np.float16)
    return decibels


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return the window (1024,), and the shares (513, 17) of each bin of the spectrum in each band.

    A sine at full scale comes out at 0 dB in its band, or nearly so.
    """
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    edges = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, VALUES + 2)
    bins = np.fft.rfftfreq(_FRAME, 1 / _RATE)[:, None]
    half = bins[1] / 2
    inside = np.minimum(edges[1:], bins + half) - np.maximum(edges[:-1], bins - half)
    shares = np.clip(inside / (2 * half), 0, 1) / (window**2).sum() * 4 / _FRAME
    return window, shares.astype(np.float32)
