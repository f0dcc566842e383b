"""Spectrograms show what sounds where, and are PNG files that any program reads."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from audiosearch.audio import spectrogram as drawing
from audiosearch.audio.spectrogram import Spectrogram, as_png, part_of, spectrogram
from audiosearch.errors import AudioRejected, InvalidQuery

RATE = 16_000


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Two seconds of silence, two of 500 Hz, two of 4 kHz that is 40 dB quieter."""
    time = np.arange(2 * RATE) / RATE
    parts = [0 * time, np.sin(2 * np.pi * 500 * time), 0.01 * np.sin(2 * np.pi * 4_000 * time)]
    soundfile.write(tmp_path / "tones.wav", 0.9 * np.concatenate(parts), RATE, "FLOAT")
    return tmp_path / "tones.wav"


def row_of(drawn: Spectrogram, hertz: float) -> int:
    """The row in which a frequency lies, from the top."""
    low, high, here = (2595 * np.log10(1 + f / 700) for f in (drawn.lowest, drawn.highest, hertz))
    rows = len(drawn.levels)
    return round(rows - 1 - ((here - low) / (high - low) * (rows + 1) - 1))


def test_what_sounds_where(tones: Path) -> None:
    drawn = spectrogram(tones, columns=60, rows=64)
    assert drawn.levels.shape == (64, 60)
    assert (drawn.start, drawn.end, drawn.lowest, drawn.highest) == (0, 6, 30, 8_000)
    assert drawn.levels[:, 2:18].max() == 0
    assert abs(int(drawn.levels[:, 30].argmax()) - row_of(drawn, 500)) <= 1
    assert abs(int(drawn.levels[:, 50].argmax()) - row_of(drawn, 4_000)) <= 1
    assert drawn.levels.max() == 255
    # 40 of 90 dB below; the bands differ in what they gather of a tone.
    assert int(drawn.levels[:, 50].max()) == pytest.approx(255 * 50 / 90, abs=20)


@pytest.mark.parametrize("columns", [16, 300, 4_096])
def test_a_part_and_any_size(tones: Path, columns: int) -> None:
    drawn = spectrogram(tones, 2.5, 3.5, columns=columns, rows=32)
    assert drawn.levels.shape == (32, columns)
    assert (drawn.start, drawn.end) == (2.5, 3.5)
    peaks = drawn.levels.argmax(axis=0)
    assert set(peaks[columns // 8 : -columns // 8].tolist()) == {peaks[columns // 2]}


def test_a_length_that_is_not_known(tones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hops double while the sound goes on, and the picture stays the same but for a column."""
    known = spectrogram(tones, columns=16, rows=32).levels
    monkeypatch.setattr(drawing, "_MOST_SPECTRA", 1)
    blind = drawing._Drawing(RATE, 16, 32, None)
    samples, _ = soundfile.read(tones, dtype="float32")
    for start in range(0, len(samples), 1_000):
        blind.add(samples[start : start + 1_000])
    levels, frames = blind.levels()
    assert frames == len(samples)
    inner = [0, 1, 2, 3, 4, 7, 8, 9, 12, 13, 14]
    assert (levels.argmax(axis=0)[inner] == known.argmax(axis=0)[inner]).all()


def test_the_png_is_one(tones: Path) -> None:
    drawn = spectrogram(tones, 1, 4, columns=50, rows=20)
    png, chunks, place = as_png(drawn), {}, 8
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        place += 12 + length
    assert chunks[b"IHDR"] == struct.pack(">IIBBBBB", 50, 20, 8, 0, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(20, 51)
    assert set(lines[:, 0].tolist()) == {1}
    pixels = np.cumsum(lines[:, 1:], axis=1, dtype=np.uint8)
    assert (pixels == drawn.levels).all()
    assert part_of(png) == (1.0, 4.0, 30.0, 8_000.0)
    for broken in (b"", png[:-1], png.replace(b"part", b"else")):
        with pytest.raises(ValueError, match="no spectrogram"):
            part_of(broken)


def test_what_cannot_be_drawn(tones: Path, tmp_path: Path) -> None:
    for wrong in ({"start": 7.0}, {"start": 2, "end": 1}, {"columns": 15}, {"rows": 513}):
        with pytest.raises(InvalidQuery):
            spectrogram(tones, **wrong)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioRejected):
        spectrogram(tmp_path / "text.wav")


def test_the_library_keeps_some(
    sample_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    directory = Path(shutil.copytree(sample_directory, tmp_path / "library"))
    folder = directory / drawing.FOLDER
    with Library.open(directory) as library:
        first = library.spectrogram(1, columns=64, rows=32)
        (kept,) = folder.rglob("*.png")
        assert kept.read_bytes() == first
        os.utime(kept, (1, 1))
        assert library.spectrogram(1, columns=64, rows=32) == first
        assert kept.stat().st_mtime > 1  # it was seen
        os.utime(kept, (1, 1))
        monkeypatch.setattr(drawing, "MOST_BYTES", len(first))
        library.spectrogram(1, 0.0, 0.5, columns=64, rows=32)
        (newer,) = folder.rglob("*.png")
        assert newer != kept
        newer.write_bytes(b"damaged")
        assert library.spectrogram(1, 0.0, 0.5, columns=64, rows=32)[1:4] == b"PNG"
        assert newer.read_bytes() != b"damaged"
        # What belongs to a sound goes with it.
        with pytest.raises(InvalidQuery):
            library.spectrogram(1, 900.0)
        library.remove(1)
        assert not list(folder.rglob("*.png"))
