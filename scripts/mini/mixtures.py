"""Mixtures: endless 5 s scenes made from the corpus, as a recordist or a game might have delivered
them.

Teacher and student hear the same, however odd: what is distilled is how the teacher listens, and it
listens to backward birds as well. Only band limits are for the student alone, so that it learns to
name what the teacher still hears.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from scripts.mini.corpus import Clip

RATE = 32_000
SAMPLES = 5 * RATE
SOURCES = 3
COLOURED = 0.4  # of the sources sound as if recorded otherwise: nine hours must stand for many more


@dataclass(frozen=True)
class Mixture:
    """`heard` for the teacher, `student` for the student, both (160000,); clip numbers (-1: none)
    and their levels in dB."""

    heard: np.ndarray
    student: np.ndarray
    clips: np.ndarray
    levels: np.ndarray


def sampling_weights(clips: list[Clip], allowed: np.ndarray) -> np.ndarray:
    """A probability for each clip: the root of a group's seconds (at most 60) shared by its clips,
    zero if not allowed.

    A pack of 200 footsteps must not drown one waterfall, but deserves more than one footstep.
    """
    seconds: dict[str, float] = {}
    counts: dict[str, int] = {}
    for index in allowed:
        clip = clips[index]
        seconds[clip.group] = seconds.get(clip.group, 0.0) + clip.length / RATE
        counts[clip.group] = counts.get(clip.group, 0) + 1
    weights = np.zeros(len(clips))
    for index in allowed:
        group = clips[index].group
        weights[index] = min(seconds[group], 60.0) ** 0.5 / counts[group]
    return weights / weights.sum()


def favoured(weights: np.ndarray, chosen: np.ndarray, share: float) -> np.ndarray:
    """`weights` (clips,) with `share` of the sum on the `chosen` (bool) clips: those that the
    student has not heard yet."""
    scaled = np.where(chosen, share / weights[chosen].sum(), (1 - share) / weights[~chosen].sum())
    return np.asarray(weights * scaled)


def _source(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """5 s of one clip: a random crop, 65 % at another speed (up to half an octave; some, one),
    a few backward, short ones repeated (as the indexer pads) or placed."""
    octaves = 1.0 if rng.random() < 0.3 else 0.5
    speed = 2 ** rng.uniform(-octaves, octaves) if rng.random() < 0.65 else 1.0
    needed = int(SAMPLES * speed) + 2
    start = rng.integers(0, max(1, len(samples) - needed + 1))
    cut = samples[start : start + needed].astype(np.float32) / 32768
    if speed != 1.0:
        places = np.arange(0, len(cut) - 1, speed)
        before = places.astype(np.int32)
        cut = cut[before] + (places - before).astype(np.float32) * np.diff(cut)[before]
    if rng.random() < 0.06:
        cut = np.ascontiguousarray(cut[::-1])
    if len(cut) >= SAMPLES:
        return cut[:SAMPLES]
    out = np.zeros(SAMPLES, np.float32)
    style = rng.random()
    if style < 0.55:  # repeated end to end
        return np.resize(cut, SAMPLES)
    if style < 0.8:  # once, somewhere
        place = int(rng.integers(0, SAMPLES - len(cut) + 1))
        out[place : place + len(cut)] = cut
        return out
    place = int(rng.integers(0, len(cut) + 1))  # again and again, with pauses
    while place < SAMPLES:
        part = cut[: SAMPLES - place]
        out[place : place + len(part)] = part
        place += len(cut) + int(rng.uniform(0.1, 1.5) * RATE)
    return out


def _loudness(wave: np.ndarray) -> float:
    """Root mean square of the samples that are not digital silence."""
    active = wave[np.abs(wave) > 1e-4]
    return float(np.sqrt(np.mean(active**2))) if len(active) else 1e-4


def _filtered(wave: np.ndarray, response: np.ndarray) -> np.ndarray:
    # numpy's transform, for at this length torch's takes three times as long.
    return np.fft.irfft(np.fft.rfft(wave) * response, len(wave))


@cache
def _octaves() -> np.ndarray:
    """Octaves above 1 kHz of each line of the spectrum, level from 100 Hz downwards."""
    hertz = np.maximum(np.arange(SAMPLES // 2 + 1) * (RATE / SAMPLES), 100)
    return np.log2(hertz / 1000).astype(np.float32)


def _tilt(rng: np.random.Generator) -> np.ndarray:
    """Up to 3 dB an octave either way about 1 kHz."""
    return np.exp2(_octaves() * np.float32(rng.uniform(-0.5, 0.5)))


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Another microphone, distance or body: a tilt and a smooth curve of up to 12 dB either way
    through a point in each octave."""
    octaves = _octaves()[::64]
    decibels = np.interp(octaves, np.linspace(-3.4, 4, 8), rng.uniform(-12, 12, 8))
    decibels += rng.uniform(-3, 3) * octaves
    lines = np.arange(SAMPLES // 2 + 1)
    return np.interp(lines, lines[::64], 10 ** (decibels / 20)).astype(np.float32)


def _body(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Spectrum of another thing that the sound is sent through: 30 to 80 ms of a clip, dying away,
    as strong as the direct sound at most. No recording of it exists, and the teacher hears it too."""
    length = int(rng.uniform(0.03, 0.08) * RATE)
    start = int(rng.integers(0, max(1, len(samples) - length + 1)))
    cut = samples[start : start + length].astype(np.float32)
    cut *= np.exp(-5 * np.arange(len(cut), dtype=np.float32) / length)
    cut *= rng.uniform(0.3, 1.0) / max(float(np.sqrt(np.sum(cut**2))), 1e-6)
    impulse = np.zeros(SAMPLES, np.float32)
    impulse[: len(cut)] = cut
    impulse[0] += 1.0
    return np.fft.rfft(impulse)


def _band_limit(rng: np.random.Generator) -> np.ndarray:
    """The band that a file of 8 to 22.05 kHz sampling rate can carry."""
    rate = rng.choice([8000, 11_025, 16_000, 22_050], p=[0.35, 0.2, 0.3, 0.15])
    hertz = np.arange(SAMPLES // 2 + 1) * (RATE / SAMPLES)
    return (hertz < 0.47 * rate).astype(np.float32)


def _reverb(rng: np.random.Generator) -> np.ndarray:
    """Spectrum of a room: the direct sound and a tail of decaying noise (60 dB in 0.1 to 1.5 s)."""
    seconds = rng.uniform(0.1, 1.5)
    length = int(seconds * RATE)
    tail = rng.standard_normal(length).astype(np.float32)
    tail *= np.exp(-6.9 * np.arange(length, dtype=np.float32) / length)
    tail *= rng.uniform(0.2, 1.0) / np.sqrt(np.sum(tail**2))
    impulse = np.zeros(SAMPLES, np.float32)
    delay = int(rng.uniform(0.001, 0.03) * RATE)
    impulse[delay : delay + length] = tail
    impulse[0] = 1.0
    return np.fft.rfft(impulse)


def _nothing(rng: np.random.Generator) -> np.ndarray:
    """What is no sound of anything: coloured noise or mains hum, so that it does not land near
    everything."""
    if rng.random() < 0.3:
        time = np.arange(SAMPLES) / RATE
        base = rng.choice([50.0, 60.0, rng.uniform(80, 4000)])
        tones = [np.sin(2 * np.pi * base * k * time) / k ** rng.uniform(0.5, 3) for k in (1, 2, 3)]
        return np.sum(tones, axis=0).astype(np.float32)
    hertz = np.maximum(np.arange(SAMPLES // 2 + 1) * (RATE / SAMPLES), 20)
    noise = rng.standard_normal(SAMPLES).astype(np.float32)
    return _filtered(noise, (hertz ** -rng.uniform(0, 1)).astype(np.float32))


def make(
    rng: np.random.Generator,
    clips: list[Clip],
    samples: np.ndarray,
    weights: np.ndarray,
    bodies: float = 0.0,
) -> Mixture:
    """One mixture: 45 % of them one source, 40 % two (-15 to +5 dB), 15 % three; 1.5 % hold
    nothing. A share `bodies` of the sources is sent through a piece of another clip."""
    numbers = np.full(SOURCES, -1, np.int32)
    levels = np.zeros(SOURCES, np.float16)
    if rng.random() < 0.015:
        wave = _nothing(rng)
    else:
        count = int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
        wave = np.zeros(SAMPLES, np.float32)
        for place, number in enumerate(rng.choice(len(clips), count, p=weights)):
            clip = clips[number]
            part = _source(rng, samples[clip.start : clip.start + clip.length])
            if rng.random() < COLOURED:
                part = _filtered(part, _colour(rng))
            if bodies and rng.random() < bodies:
                other = clips[rng.choice(len(clips), p=weights)]
                piece = samples[other.start : other.start + other.length]
                part = _filtered(part, _body(rng, piece))
            level = rng.uniform(-15, 5) if place else 0.0
            wave += part * np.float32(10 ** (level / 20) * 0.1 / _loudness(part))
            numbers[place], levels[place] = number, level
    if rng.random() < 0.12:
        wave = _filtered(wave, _reverb(rng))
    if rng.random() < 0.25:
        wave = _filtered(wave, _tilt(rng))
    if rng.random() < 0.15:
        noise = rng.standard_normal(SAMPLES, dtype=np.float32)
        wave = wave + noise * np.float32(_loudness(wave) * 10 ** (rng.uniform(-40, -12) / 20))
    wave *= np.float32(10 ** (rng.uniform(-15, -0.5) / 20) / max(np.abs(wave).max(), 1e-6))
    student = wave
    if rng.random() < 0.12:
        student = _filtered(wave, _band_limit(rng))
        student *= np.float32(np.abs(wave).max() / max(np.abs(student).max(), 1e-6))
    return Mixture(wave, student, numbers, levels)
