"""Mutated files, through the decoding process and through a library.

A mutation flips bits, writes numbers that are too large where headers keep theirs, cuts, repeats,
removes or swaps parts. All come from a seed: a file that does harm can be made again.
"""

from __future__ import annotations

import io
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from audiosearch import Library, models
from audiosearch.errors import AudioSearchError
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from indexer.workers import Done, Message, Rejected, Windows, Worker, WorkerDied
from tests.torture.kills import make_sounds

# Numbers that programs count with: nothing, the sign, all ones.
_EXTREMES = [
    b"\x00" * 4,
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\x7f\xff\xff\xff",
    b"\x00\x00\x00\x80",
]
_HEADER = 256


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to four changes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if len(changed) < 16:
            break
        # Half of the changes where the header is: what follows is mostly samples.
        at = rng.randrange(min(len(changed) - 8, rng.choice([_HEADER, len(changed)])))
        length = rng.randint(1, max(1, len(changed) // 4))
        kind = rng.randrange(7)
        if kind == 0:
            for _ in range(rng.randint(1, 32)):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 4] = rng.choice(_EXTREMES)
        elif kind == 2:
            changed[at : at + 8] = rng.randbytes(8)
        elif kind == 3:
            del changed[rng.randrange(len(changed)) :]
        elif kind == 4:
            del changed[at : at + length]
        elif kind == 5:
            changed[at:at] = changed[at : at + length]
        else:
            changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def specimens() -> dict[str, bytes]:
    """A second of sound in each container and encoding that people have."""
    rate = 22_050
    seconds = np.arange(rate) / rate
    wave = (0.3 * np.sin(2 * np.pi * 440 * seconds))[:, None].repeat(2, 1)
    wave += np.random.default_rng(0).normal(0, 0.02, wave.shape)
    found = {}
    for name, options in {
        "wav": {"format": "WAV", "subtype": "PCM_16"},
        "float.wav": {"format": "WAV", "subtype": "FLOAT"},
        "adpcm.wav": {"format": "WAV", "subtype": "MS_ADPCM"},
        "w64": {"format": "W64", "subtype": "PCM_24"},
        "aiff": {"format": "AIFF", "subtype": "PCM_24"},
        "caf": {"format": "CAF", "subtype": "PCM_16"},
        "flac": {"format": "FLAC", "subtype": "PCM_16"},
        "ogg": {"format": "OGG", "subtype": "VORBIS"},
        "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    }.items():
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, rate, **options)
        found[name] = buffer.getvalue()
    for name, codec, container in (
        ("m4a", "aac", "ipod"),
        ("alac.m4a", "alac", "ipod"),
        ("opus", "libopus", "ogg"),
        ("mka", "aac", "matroska"),
        ("wma", "wmav2", "asf"),
    ):
        found[name] = _encoded(wave, rate, codec, container)
    return found


def _encoded(wave: np.ndarray, rate: int, codec: str, container: str) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48_000 if codec == "libopus" else rate)
        stream.layout = "stereo"
        stream.bit_rate = 96_000
        frame = av.AudioFrame.from_ndarray(
            (wave.T * 32_767).astype(np.int16).copy(), format="s16p", layout="stereo"
        )
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return buffer.getvalue()


@dataclass
class Fuzzed:
    """What became of the files; `faults` are what must not be."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    deaths: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def fuzz_audio(folder: Path, count: int, seed: int, keep: bool = False) -> Fuzzed:
    """Send `count` mutated files through one decoding process; one that died is replaced."""
    fuzzed, originals = Fuzzed(), specimens()
    names = sorted(originals)
    with Worker(load_model().bundle) as worker:
        for number in range(count):
            name = names[number % len(names)]
            path = folder / f"fuzz-{number}.{name}"
            path.write_bytes(mutated(originals[name], random.Random(f"{seed}:{number}")))
            started = time.monotonic()
            outcome = _outcome(worker, path, fuzzed)
            fuzzed.slowest = max(fuzzed.slowest, time.monotonic() - started)
            fuzzed.files += 1
            fuzzed.outcomes[outcome] += 1
            if not keep:
                path.unlink()
    return fuzzed


def _outcome(worker: Worker, path: Path, fuzzed: Fuzzed) -> str:
    try:
        messages: list[Message] = list(worker.read(bytes(path), lambda hashed: True))
    except WorkerDied as death:
        fuzzed.deaths.append(f"{path.name}: {death}")
        return "died"
    last = messages[-1]
    if isinstance(last, Rejected):
        if not last.reason.strip() or "\n" in last.reason:
            fuzzed.faults.append(f"{path.name}: the reason is {last.reason!r}")
        return last.kind
    if not isinstance(last, Done):
        fuzzed.faults.append(f"{path.name}: ended with {last}")
    for message in messages:
        if isinstance(message, Windows) and not np.isfinite(message.values).all():
            fuzzed.faults.append(f"{path.name}: features that are not finite")
    return "decoded"


class Subject:
    """A library and a model of its own, whose files are mutated one at a time."""

    def __init__(self, work: Path) -> None:
        self.sounds, self.library, self.bundle = work / "sounds", work / "library", work / "mini"
        make_sounds(self.sounds, 60)
        shutil.copytree(Path(models.__file__).parent / "mini", self.bundle)
        self.model = load_model()
        self.index()
        self.right = self.answer()

    def index(self) -> None:
        with Library.open(self.library, create=True) as library:
            library.add(self.sounds)

    def answer(self, model: Model | None = None) -> list[tuple[object, ...]]:
        with Library.open(self.library, model=model or self.model) as library:
            hits = library.search("a noisy machine", k=1000)
        return [(hit.path, hit.score, hit.start, hit.end, hit.duration) for hit in hits]

    def fuzz_library(self, name: str, count: int, seed: int) -> Fuzzed:
        """Mutate a file of the library, and ask it something."""
        return self._fuzz(self.library / name, self.answer, count, seed)

    def fuzz_model(self, name: str, count: int, seed: int) -> Fuzzed:
        """Mutate a file of the model, and ask with it."""
        return self._fuzz(
            self.bundle / name, lambda: self.answer(load_model(str(self.bundle))), count, seed
        )

    def _fuzz(
        self, path: Path, ask: Callable[[], list[tuple[object, ...]]], count: int, seed: int
    ) -> Fuzzed:
        """An error of ours and the right answer are well. Damage is unseen where the answer is
        another: a bit in a name or a number, which have no checksum and which SQLite takes as they
        are. All else is a fault.
        """
        fuzzed, original = Fuzzed(), path.read_bytes()
        for number in range(count):
            data = mutated(original, random.Random(f"{seed}:{number}"))
            path.write_bytes(data)
            try:
                outcome = "same" if ask() == self.right else "unseen"
            except AudioSearchError as error:
                outcome = "refused" if "\n" not in str(error) else f"several lines: {error}"
            except Exception as error:  # noqa: BLE001 (whatever it is, it is looked for)
                outcome = f"{type(error).__name__}: {error}"
            fuzzed.files += 1
            if outcome in ("same", "refused", "unseen"):
                fuzzed.outcomes[outcome] += 1
            else:
                fuzzed.outcomes["fault"] += 1
                fuzzed.faults.append(f"{path.name} {seed}:{number}: {outcome}")
        path.write_bytes(original)
        return fuzzed
