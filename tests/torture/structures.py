"""Containers put together by a grammar: what each must be heard as is known when it is made.

A file is one of: sounds after each other, with tags between them or not, of one or several rates
and numbers of channels; a sound whose declared size is wrong, with chunks behind it; tracks, some
silent; sound that begins late or has gaps; chunks of metadata, whole and damaged. All come from a
seed.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audiosearch.models.registry import load_model
from indexer.workers import Done, Hashed, Rejected, Windows, Worker, WorkerDied
from tests.audio.made import encoded, muxed, tone
from tests.torture.fuzz import mutated


@dataclass(frozen=True)
class Made:
    """`data` of a file named `name`, which is heard for `seconds`, give or take `slack`; sound
    begins at `first`. `told`: a notice must say what is odd."""

    name: str
    data: bytes
    seconds: float
    slack: float = 0.15
    first: float = 0.0
    told: bool = False


# Mini's, and half a second for encoders: a window that holds nothing of the sound begins earlier.
_WINDOW = 5.5

_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 16_000, 24_000, 48_000)
_AAC_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def _sound(rng: random.Random, rates: tuple[int, ...] = _RATES) -> tuple[np.ndarray, int, float]:
    rate, seconds = rng.choice(rates), round(rng.uniform(0.6, 3.0), 2)
    samples = tone(rng.choice((300, 700, 1_500)), seconds, rate, rng.choice((1, 2)))
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 0.05, samples.shape)
    return (samples + noise).astype(np.float32), rate, len(samples) / rate


def _id3v2(rng: random.Random) -> bytes:
    body = rng.choice((b"\xff\xfb\x90\x00", b"OggS", bytes(4))) * rng.randrange(1, 600)
    return b"ID3\3\0\0" + bytes([0, 0, len(body) >> 7, len(body) & 127]) + body


def _id3v1(rng: random.Random) -> bytes:
    return b"TAG" + b"A title".ljust(30, b"\0") + bytes(60) + b"2001" + bytes(31)


def _chunk(rng: random.Random, order: str, names: tuple[bytes, ...]) -> bytes:
    data = rng.randbytes(rng.randrange(0, 9_000))
    pad = b"\0" if len(data) % 2 and rng.random() < 0.7 else b""
    return rng.choice(names) + struct.pack(order, len(data)) + data + pad


def _riff_chunks(rng: random.Random) -> bytes:
    names = (b"LIST", b"bext", b"iXML", b"id3 ", b"cue ", b"JUNK", b"axml")
    return b"".join(_chunk(rng, "<I", names) for _ in range(rng.randrange(0, 4)))


def chained(rng: random.Random) -> Made:
    """Sounds after each other in one file."""
    family = rng.choice(
        ("wav", "aiff", "flac", "vorbis", "opus", "oggflac", "ogg", "mp3", "aac", "ac3", "ts")
    )
    count = rng.randint(2, 4)
    parts, seconds = [], 0.0
    for number in range(count):
        kind = rng.choice(("vorbis", "opus", "oggflac")) if family == "ogg" else family
        rates = {
            "opus": _OPUS_RATES,
            "aac": _AAC_RATES,
            "ts": _AAC_RATES,
            "ac3": (32_000, 44_100, 48_000),
        }
        samples, rate, length = _sound(rng, rates.get(kind, _RATES))
        seconds += length
        between = b""
        if kind == "mp3" and number:
            between = rng.choice((b"", _id3v2(rng), _id3v1(rng), _id3v1(rng) + _id3v2(rng)))
        if kind == "wav" and number:
            between = _riff_chunks(rng)
        parts.append(between + _part(kind, samples, rate))
    slack = {"mp3": 0.12, "aac": 0.12, "ac3": 0.06, "ts": 0.35}.get(family, 0.05) * count
    name = {"vorbis": "ogg", "opus": "opus", "oggflac": "oga"}.get(family, family)
    told = family in ("wav", "aiff", "flac", "vorbis", "opus", "oggflac", "ogg")
    return Made(f"chained-{family}.{name}", b"".join(parts), seconds, slack, told=told)


def _part(kind: str, samples: np.ndarray, rate: int) -> bytes:
    if kind in ("wav", "aiff", "flac"):
        return encoded(samples, kind.upper(), "PCM_16", rate)
    if kind == "vorbis":
        return encoded(samples, "OGG", "VORBIS", rate)
    if kind == "mp3":
        return encoded(samples, "MP3", "MPEG_LAYER_III", rate)
    form, codec = {
        "opus": ("ogg", "libopus"),
        "oggflac": ("ogg", "flac"),
        "aac": ("adts", "aac"),
        "ac3": ("ac3", "ac3"),
        "ts": ("mpegts", "aac"),
    }[kind]
    return muxed([(samples, rate)], form, codec)


def missized(rng: random.Random) -> Made:
    """A sound whose size is declared wrong, with chunks behind it."""
    kind = rng.choice(("wav", "rf64", "aiff", "caf", "w64", "au", "flac"))
    subtype = rng.choice(("PCM_16", "PCM_24", "FLOAT") if kind != "flac" else ("PCM_16", "PCM_24"))
    samples, rate, seconds = _sound(rng)
    data = bytearray(encoded(samples, kind.upper(), subtype, rate))
    width = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    length = samples.size * width
    tail = b""
    if kind == "flac":
        total = rng.choice((0, len(samples) // 2, len(samples) // 3))
        data[21] = data[21] & 0xF0 | total >> 32
        data[22:26] = struct.pack(">I", total & 0xFFFF_FFFF)
        return Made("missized.flac", bytes(data), seconds, 0.01, told=total > 0)
    sizes = (0, length // 2, length // 3 * 2, 8)
    size = rng.choice(sizes)
    if kind in ("wav", "rf64"):
        size = rng.choice((*sizes, 0xFFFF_FFFF)) if kind == "wav" else size
        tail = _riff_chunks(rng)
        at = data.index(b"data") + 4
        data[at : at + 4] = struct.pack("<I", 0xFFFF_FFFF if kind == "rf64" else size)
        if kind == "rf64":
            at = data.index(b"ds64") + 16
            data[at : at + 8] = struct.pack("<Q", size)
    elif kind == "aiff":
        names = (b"ANNO", b"NAME", b"MARK", b"COMT", b"APPL")
        tail = b"".join(_chunk(rng, ">I", names) for _ in range(rng.randrange(0, 3)))
        at = data.index(b"SSND") + 4
        data[at : at + 4] = struct.pack(">I", size)
    elif kind == "caf":
        at = data.index(b"data") + 4
        data[at : at + 8] = struct.pack(">q", size)
    elif kind == "w64":
        at = data.index(b"data\xf3\xac\xd3\x11") + 16
        data[at : at + 8] = struct.pack("<Q", size + 24)
    else:
        data[8:12] = struct.pack(">I", size)
    return Made(f"missized.{kind}", bytes(data) + tail, seconds, 0.01, told=True)


def tracked(rng: random.Random) -> Made:
    """Tracks of which some are silent, but one sounds."""
    form, codec = rng.choice(
        (("mov", "pcm_s16le"), ("mp4", "aac"), ("matroska", "flac"), ("mpegts", "aac"))
    )
    count = rng.randint(2, 4)
    sounding = {number for number in range(count) if rng.random() < 0.4} or {count - 1}
    samples = tone(500, 2.0, 48_000, rng.choice((1, 2)))
    tracks = [
        (samples if number in sounding else np.zeros_like(samples), 48_000)
        for number in range(count)
    ]
    return Made(f"tracked.{form}", muxed(tracks, form, codec), 2.0, 0.2, told=True)


def timed(rng: random.Random) -> Made:
    """Sound that begins after the video, and has gaps."""
    form, codec = rng.choice(
        (("matroska", "flac"), ("mp4", "aac"), ("mpegts", "aac"), ("mov", "aac"))
    )
    late = round(rng.choice((0.0, rng.uniform(0.5, 4.0))), 2)
    gaps = tuple(
        (1.0 + number, round(rng.uniform(0.5, 8.0), 2)) for number in range(rng.randrange(0, 3))
    )
    samples = tone(500, 4.0, 48_000)
    seconds = late + 4.0 + sum(long for _, long in gaps)
    video = late + 6.0 if late else 0.0
    data = muxed([(samples, 48_000)], form, codec, late=late, gaps=gaps, video=video)
    return Made(f"timed.{form}", data, seconds, 0.35, first=late)


def tagged(rng: random.Random) -> Made:
    """Chunks of metadata before and after a sound, some of them damaged."""
    samples, rate, seconds = _sound(rng)
    data = encoded(samples, "WAV", "PCM_16", rate)
    title = b"INAM" + struct.pack("<I", 7) + b"a title" + rng.choice((b"", b"\0"))
    note = b"<BWFXML><NOTE>a & note</NOTE><SCENE>7" + rng.choice(
        (b"</SCENE></BWFXML>", b"", b"\xff")
    )
    before = b"LIST" + struct.pack("<I", 4 + len(title)) + b"INFO" + title
    before += rng.choice((b"", b"\0")) if len(title) % 2 else b""
    after = b"iXML" + struct.pack("<I", len(note)) + note
    where = rng.choice(("before", "after"))
    chunks = (before + after) if rng.random() < 0.5 else (after + before)
    at = data.index(b"data") if where == "before" else len(data)
    return Made(f"tagged-{where}.wav", data[:at] + chunks + data[at:], seconds, 0.01)


GRAMMARS: tuple[Callable[[random.Random], Made], ...] = (chained, missized, tracked, timed, tagged)


@dataclass
class Built:
    """What became of the files; `faults` are what must not be."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def build(folder: Path, count: int, seed: int) -> Built:
    """Send `count` files through a decoding process, each as it was made and once mutated."""
    built = Built()
    with Worker(load_model().bundle) as worker:
        for number in range(count):
            rng = random.Random(f"{seed}:{number}")
            made = GRAMMARS[number % len(GRAMMARS)](rng)
            path = folder / f"{number}-{made.name}"
            path.write_bytes(made.data)
            fault = _fault(worker, path, made)
            built.files += 1
            built.outcomes["right" if fault is None else "wrong"] += 1
            if fault:
                built.faults.append(f"{seed}:{number} {made.name}: {fault}")
            path.write_bytes(mutated(made.data, rng))
            built.outcomes[_mutant(worker, path, built, f"{seed}:{number}")] += 1
            path.unlink()
    return built


def _fault(worker: Worker, path: Path, made: Made) -> str | None:
    try:
        messages = list(worker.read(bytes(path), lambda hashed: True))
    except WorkerDied as death:
        return str(death)
    last = messages[-1]
    if isinstance(last, Rejected):
        return f"{last.kind}: {last.reason}"
    assert isinstance(last, Done)
    starts = [time[0] for m in messages if isinstance(m, Windows) for time in m.times]
    words = {"title", "comment", "scene"} if made.name.startswith("tagged") else set()
    faults = {
        f"{last.duration:.2f} s are heard of {made.seconds:.2f} s ({last.notices})": (
            abs(last.duration - made.seconds) > made.slack
        ),
        "nothing is said of what is odd": made.told and not last.notices,
        f"called truncated: {last.truncated}": last.truncated is not None,
        f"heard at {min(starts):.2f} s, but begins at {made.first:.2f} s": (
            min(starts) < made.first - _WINDOW
        ),
        f"of its metadata there is {sorted(last.tags)}": not words <= set(last.tags),
    }
    return next((fault for fault, holds in faults.items() if holds), None)


def _mutant(worker: Worker, path: Path, built: Built, number: str) -> str:
    try:
        *_, last = worker.read(bytes(path), lambda hashed: True)
    except WorkerDied as death:
        built.faults.append(f"{number} {path.name}, mutated: {death}")
        return "mutant died"
    assert not isinstance(last, Hashed)
    return f"mutant {last.kind}" if isinstance(last, Rejected) else "mutant decoded"
