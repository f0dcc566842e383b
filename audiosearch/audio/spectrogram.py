"""The spectrogram of a sound, or of a part of it, as a grey picture that a page colours.

Rows are mel bands, the highest first; columns are equal parts of the time. A level is uint8: 255 is
the loudest in the picture, 0 is `RANGE` dB below it or less.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.audio.decode import AnyPath, open_audio
from audiosearch.audio.reader import check_range
from audiosearch.audio.resample import mono
from audiosearch.errors import AudioRejected, InvalidQuery

# Where a library keeps them, and how many bytes of them; those that were not seen for longest go.
FOLDER = "spectrograms"
MOST_BYTES = 256 << 20

COLUMNS = range(16, 4_097)
ROWS = range(16, 513)
RANGE = 90.0

_LOWEST_HZ = 30.0
# Above it nobody hears.
_HIGHEST_HZ = 20_000.0

# A column of a long sound is the loudest of so many spectra, spread over it.
_MOST_SPECTRA = 8
_SPECTRUM_SECONDS = 0.046


@dataclass(frozen=True)
class Spectrogram:
    """`levels` (rows, columns) uint8, of `start` to `end` seconds and `lowest` to `highest` Hz."""

    levels: np.ndarray
    start: float
    end: float
    lowest: float
    highest: float


def spectrogram(
    path: AnyPath,
    start: float = 0.0,
    end: float | None = None,
    columns: int = 1_024,
    rows: int = 128,
    duration: float | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Spectrogram:
    """Compute the spectrogram of a file, or of its part from `start` to `end` seconds.

    `duration`, where it is known, saves memory for a file whose header does not say its length.
    `alive` is called now and then. Raises `AudioRejected`, and `InvalidQuery` for a part, a number
    of columns or of rows that cannot be.
    """
    check_range(start, end)
    if columns not in COLUMNS or rows not in ROWS:
        raise InvalidQuery(f"a spectrogram of {columns} x {rows} cannot be drawn")
    with open_audio(path, alive) as stream:
        rate = stream.info.sample_rate
        known = duration or (stream.info.frames / rate if stream.info.frames else None)
        until = end if known is None else min(end or known, known)
        if until is not None and until <= start:
            raise InvalidQuery(f"the sound ends before {start:g} s")
        first = round(start * rate)
        most = None if until is None else round(until * rate) - first
        blocks = _mono_blocks(stream.blocks(first), most, alive)
        drawing = _Drawing(rate, columns, rows, most)
        for block in blocks:
            drawing.add(block)
    levels, frames = drawing.levels()
    highest = min(_HIGHEST_HZ, rate / 2)
    return Spectrogram(levels, start, start + frames / rate, min(_LOWEST_HZ, highest / 2), highest)


def _mono_blocks(
    blocks: Iterator[np.ndarray], most: int | None, alive: Callable[[], None]
) -> Iterator[np.ndarray]:
    left = most
    for block in blocks:
        alive()
        mixed = np.nan_to_num(mono(block if left is None else block[:left]))
        if left is not None:
            left -= len(mixed)
        yield mixed
        if left is not None and left <= 0:
            return


class _Drawing:
    """Spectra of the blocks, kept at hops that a known length decides.

    Where the length is not known, hops begin small and double with it, and every other spectrum is
    dropped.
    """

    def __init__(self, rate: int, columns: int, rows: int, frames: int | None) -> None:
        self._columns, self._rate = columns, rate
        self._size = 1 << max(6, round(math.log2(rate * _SPECTRUM_SECONDS)))
        least = self._size // 8
        self._hop = max(least, (frames or 0) // (columns * _MOST_SPECTRA))
        self._window = np.hanning(self._size).astype(np.float32)
        self._mel = mel_bands(rate, self._size, rows)
        self._rest = np.zeros(self._size // 2, np.float32)  # the first spectrum is of the beginning
        self._skip = 0
        self._frames = 0
        self._spectra: list[np.ndarray] = []
        self._count = 0

    def add(self, block: np.ndarray) -> None:
        self._frames += len(block)
        self._take(block)

    def _take(self, block: np.ndarray) -> None:
        rest = np.concatenate([self._rest, block])
        gone = min(self._skip, len(rest))
        rest, self._skip = rest[gone:], self._skip - gone
        count = max(0, (len(rest) - self._size) // self._hop + 1)
        if count:
            parts = np.lib.stride_tricks.sliding_window_view(rest, self._size)[:: self._hop][:count]
            for at in range(0, count, 256):
                power = np.abs(np.fft.rfft(parts[at : at + 256] * self._window)) ** 2
                self._spectra.append((power @ self._mel).astype(np.float32))
            self._count += count
            used = count * self._hop
            self._skip = max(0, used - len(rest))
            rest = rest[used:]
        self._rest = rest.copy()
        if self._count > 4 * self._columns * _MOST_SPECTRA:
            every = np.concatenate(self._spectra)
            # Of an odd number the last one stays, and the next one is dropped in its place.
            if len(every) % 2:
                self._skip += self._hop
            self._spectra = [every[::2]]
            self._count, self._hop = len(self._spectra[0]), 2 * self._hop

    def levels(self) -> tuple[np.ndarray, int]:
        """Return the picture (rows, columns), and the number of frames that were drawn."""
        if not self._frames:
            raise AudioRejected("empty", "it holds no samples")
        self._take(np.zeros(self._size, np.float32))
        spectra = np.concatenate(self._spectra)
        edges = np.arange(self._columns) * self._frames / self._columns
        starts = np.minimum((edges / self._hop).astype(int), len(spectra) - 1)
        ends = np.minimum(
            ((edges + self._frames / self._columns) / self._hop).astype(int) + 1, len(spectra)
        )
        # Several columns may show one spectrum.
        picture = np.stack(
            [spectra[a : max(b, a + 1)].max(axis=0) for a, b in zip(starts, ends, strict=True)]
        )
        loudest = float(picture.max())
        if loudest <= 0:
            return np.zeros(picture.T.shape, np.uint8), self._frames
        floor = loudest * 10 ** (-RANGE / 10)
        decibels = 10 * np.log10(np.maximum(picture, floor) / loudest)
        scaled = np.rint((1 + decibels / RANGE) * 255).astype(np.uint8)
        return scaled.T[::-1], self._frames


def mel_bands(rate: int, size: int, rows: int) -> np.ndarray:
    """Return (size / 2 + 1, rows): triangles of equal width on the mel scale, each with a sum of 1;
    a narrow one takes what lies between its two nearest frequencies."""
    highest = min(_HIGHEST_HZ, rate / 2)
    low, high = _mel(min(_LOWEST_HZ, highest / 2)), _mel(highest)
    centres = 700 * (10 ** (np.linspace(low, high, rows + 2) / 2595) - 1)
    bins = np.arange(size // 2 + 1) * rate / size
    left, middle, right = centres[:-2], centres[1:-1], centres[2:]
    rising = (bins[:, None] - left) / (middle - left)
    falling = (right - bins[:, None]) / (right - middle)
    bands = np.maximum(0, np.minimum(rising, falling))
    near = np.maximum(0, 1 - np.abs(bins[:, None] - middle) * size / rate)
    bands = np.where(bands.sum(axis=0) < 1, near, bands)
    matrix: np.ndarray = (bands / np.maximum(bands.sum(axis=0), 1e-9)).astype(np.float32)
    return matrix


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def as_png(drawn: Spectrogram) -> bytes:
    """Return a PNG of 8 bits of grey, which says in a text chunk what part it shows."""
    rows, columns = drawn.levels.shape
    text = f"part\0{drawn.start!r} {drawn.end!r} {drawn.lowest!r} {drawn.highest!r}".encode()
    # Each row begins with its filter: 1, differences to the left, which pack best.
    lines = np.zeros((rows, columns + 1), np.uint8)
    lines[:, 0] = 1
    lines[:, 1] = drawn.levels[:, 0]
    lines[:, 2:] = np.diff(drawn.levels, axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)),
        (b"tEXt", text),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def part_of(png: bytes) -> tuple[float, float, float, float]:
    """Return start, end (s), lowest and highest (Hz) of a picture of `as_png`. Raises `ValueError`
    where it is none.
    """
    place = png.find(b"tEXtpart\0")
    length = int.from_bytes(png[place - 4 : place], "big") if place >= 4 else 0
    numbers = png[place + 9 : place + 4 + length].split()
    if len(numbers) != 4 or not png.endswith(b"IEND\xaeB`\x82"):
        raise ValueError("no spectrogram")
    start, end, lowest, highest = map(float, numbers)
    return start, end, lowest, highest


def file_of(
    folder: Path, content: str, start: float, end: float | None, columns: int, rows: int
) -> Path:
    """Return where the picture of that content and part is kept."""
    part = f"{start:.3f}-" + ("" if end is None else f"{end:.3f}")
    return folder / content[:2] / f"{content}-{columns}x{rows}-{part}.png"


def load(file: Path) -> bytes | None:
    """Return the picture in a file, if it is there and whole. It counts as seen."""
    with suppress(OSError, ValueError):
        png = file.read_bytes()
        part_of(png)
        with suppress(OSError):
            os.utime(file)
        return png
    return None


def keep(file: Path, png: bytes, folder: Path) -> None:
    """Keep a picture below `folder`, and drop the oldest there beyond `MOST_BYTES`. A folder that
    cannot be written costs time and nothing else.
    """
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as writing:
            writing.write(png)
        os.replace(writing.name, file)  # noqa: PTH105
        shrink(folder, MOST_BYTES)


def shrink(folder: Path, most: int) -> None:
    """Delete the pictures that were not seen for longest, until what is left takes `most` bytes."""
    kept: list[tuple[float, int, Path]] = []
    for path in folder.glob("??/*"):
        with suppress(OSError):
            status = path.stat()
            kept.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total <= most:
            return
        with suppress(OSError):
            path.unlink()
            total -= size
