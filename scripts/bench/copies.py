"""Copies of real sounds in other formats, rates, levels, lengths and channel layouts, and takes that
only sound alike, for `scripts.bench.duplicates`.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

SAMPLES = Path(__file__).parents[2] / "sample_library"


@dataclass(frozen=True)
class Source:
    """A recording. Those of one `family` are takes or segments of one recording session; `of` is
    the data set.
    """

    file: Path
    family: str
    of: str

    @property
    def number(self) -> int:
        """A number that depends on the family alone."""
        return _number(self.family)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def sources(shared: Path, part: float) -> list[Source]:
    """Return sample_library, ESC-10, and the families of the corpus that fall into its `part`
    (0..1), by hash.
    """
    rows = [
        *(
            Source(SAMPLES / row["file"], f"samples {row['group']}", "samples")
            for row in _manifest(SAMPLES)
        ),
        *(
            Source(shared / "data/esc10" / row["file"], f"esc {row['label']}", "esc10")
            for row in _manifest(shared / "data" / "esc10")
        ),
    ]
    for row in _manifest(shared / "data" / "corpus"):
        family = f"corpus {row['group'] or row['source']}"
        if _number(family + " drawn") % 1_000 < part * 1_000:
            rows.append(Source(shared / "data/corpus" / row["file"], family, "corpus"))
    return [row for row in rows if row.file.exists()]


def _manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


Sound = tuple[np.ndarray, int]


def at_rate(sound: Sound, rate: int) -> Sound:
    """Return (samples (n, channels), rate) at another rate."""
    samples, own = sound
    if rate == own:
        return sound
    return np.asarray(soxr.resample(samples, own, rate)).reshape(-1, samples.shape[1]), rate


def _louder(sound: Sound, decibels: float) -> Sound:
    return sound[0] * np.float32(10 ** (decibels / 20)), sound[1]


def _cut(sound: Sound, begin: float, end: float) -> Sound:
    samples, rate = sound
    return samples[int(begin * len(samples)) : int(end * len(samples))], rate


def _channels(sound: Sound) -> Sound:
    """Return the mean of several channels, or one channel twice."""
    samples, rate = sound
    if samples.shape[1] == 1:
        return np.repeat(samples, 2, axis=1), rate
    return samples.mean(axis=1, keepdims=True), rate


@dataclass(frozen=True)
class Copy:
    """A kind of copy: what was done to the sound, and how it is written."""

    kind: str
    sound: Sound
    suffix: str
    subtype: str
    options: dict[str, Any]

    def write(self, path: Path) -> Path:
        """Write it to `path` with its suffix."""
        target = path.with_suffix(f".{self.suffix}")
        form = {"ogg": "OGG", "opus": "OGG"}.get(self.suffix, self.suffix.upper())
        samples, rate = self.sound
        soundfile.write(target, samples, rate, self.subtype, format=form, **self.options)
        return target


def _mp3(kind: str, sound: Sound, level: float) -> Copy:
    rate = sound[1] if sound[1] in (32_000, 44_100, 48_000) else 44_100
    options = {"bitrate_mode": "CONSTANT", "compression_level": level}
    return Copy(kind, at_rate(sound, rate), "mp3", "MPEG_LAYER_III", options)


def copies(file: Path) -> Iterator[Copy]:
    """Yield every kind of copy of a file."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    whole: Sound = samples, rate

    def wav(kind: str, sound: Sound, subtype: str = "PCM_16") -> Copy:
        return Copy(kind, sound, "wav", subtype, {})

    yield wav("wav, 48 kHz", at_rate(whole, 48_000))
    yield wav("wav, 22.05 kHz", at_rate(whole, 22_050))
    yield Copy("flac, 24 bit", whole, "flac", "PCM_24", {})
    yield _mp3("mp3, good", whole, 0.3)
    yield _mp3("mp3, poor", whole, 0.85)
    yield Copy("ogg, poor", whole, "ogg", "VORBIS", {"compression_level": 0.9})
    yield Copy("opus", at_rate(whole, 48_000), "opus", "OPUS", {"compression_level": 0.8})
    yield wav("12 dB quieter", _louder(whole, -12))
    yield wav("30 dB quieter", _louder(whole, -30))
    yield wav("start cut, 14 %", _cut(whole, 0.137, 1))
    yield wav("end cut, 30 %", _cut(whole, 0, 0.7))
    yield wav("both cut, 40 %", _cut(whole, 0.2, 0.8))
    yield wav("mono <-> stereo", _channels(whole))
    if samples.shape[1] > 1:
        yield wav("left alone", (samples[:, :1], rate))
    mixed = _channels(_louder(_cut(whole, 0.11, 0.9), -6))
    yield _mp3("all at once, mp3", at_rate(mixed, 22_050), 0.6)
    yield wav("8 bit, 11 kHz", at_rate(whole, 11_025), "PCM_U8")


def spread(takes: list[Source], folder: Path, copied: float) -> dict[str, tuple[Source, str]]:
    """Copy the takes into `folder`, and beside the part `copied` (0..1) of them, by hash, every
    kind of copy.

    Returns, for each path, its source and its kind (``original`` or that of the copy).
    """
    origin: dict[str, tuple[Source, str]] = {}
    for place, take in enumerate(takes):
        here = folder / f"{place:05}"
        here.mkdir(parents=True)
        original = here / f"original{take.file.suffix}"
        shutil.copyfile(take.file, original)
        origin[str(original)] = take, "original"
        if _number(str(take.file.name) + " copied") % 1_000 < copied * 1_000:
            for number, copy in enumerate(copies(take.file)):
                origin[str(copy.write(here / f"copy-{number:02}"))] = take, copy.kind
    return origin
