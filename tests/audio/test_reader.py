"""A file as windows, and the verdict where it has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch.audio.reader import Reading, read_windows
from audiosearch.audio.windows import Window
from audiosearch.errors import AudioRejected, InvalidQuery

RATE = 8_000
RAMP = np.linspace(-0.9, 0.9, 10 * RATE, dtype=np.float32)


def windows(
    path: Path, start: float = 0.0, end: float | None = None, rate: int = RATE
) -> tuple[Reading, list[Window]]:
    length = 2 * rate
    with read_windows(path, rate=rate, length=length, hop=rate, start=start, end=end) as (
        reading,
        found,
    ):
        return reading, list(found)


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "ramp.wav", RAMP, RATE, subtype="FLOAT")
    return tmp_path / "ramp.wav"


def test_whole(ramp: Path) -> None:
    reading, found = windows(ramp)
    assert reading.duration == 10.0
    assert reading.peak == pytest.approx(0.9)
    assert [(w.start, w.end) for w in found] == [(s, s + 2) for s in range(9)]
    assert np.array_equal(found[3].samples, RAMP[3 * RATE : 5 * RATE])


def test_part(ramp: Path) -> None:
    reading, found = windows(ramp, start=2.5, end=6.25)
    assert [(w.start, w.end) for w in found] == [(2.5, 4.5), (3.5, 5.5), (4.25, 6.25)]
    assert np.array_equal(found[-1].samples, RAMP[34_000:50_000])
    assert reading.duration == 6.25
    _, (short,) = windows(ramp, start=9.5, end=99)
    assert (short.start, short.end) == (9.5, 10.0)


@pytest.mark.parametrize(("start", "end"), [(-1, None), (3, 3), (3, 2), (10, None), (99, 100)])
def test_ranges_without_sound(ramp: Path, start: float, end: float | None) -> None:
    with pytest.raises(InvalidQuery):
        windows(ramp, start, end)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
def test_no_window_ends_behind_the_file(tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, rate * 3 + 1).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    reading, found = windows(tmp_path / "a.wav", rate=32_000)
    assert reading.duration == (3 * rate + 1) / rate
    assert found[-1].end == pytest.approx(reading.duration, abs=1e-4)
    assert all(0 <= w.start < w.end <= reading.duration for w in found)


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (np.zeros(0), "empty"),
        (np.zeros(RATE), "silent"),
        (np.full(RATE, 10 ** (-91 / 20)), "silent"),
        (np.append(np.ones(RATE), np.nan), "nan"),
        (np.append(np.ones(RATE), np.inf), "nan"),
    ],
)
def test_verdicts(tmp_path: Path, samples: np.ndarray, kind: str) -> None:
    soundfile.write(tmp_path / "a.wav", samples.astype(np.float32), RATE, subtype="FLOAT")
    with pytest.raises(AudioRejected) as caught:
        windows(tmp_path / "a.wav")
    assert caught.value.kind == kind
    if kind == "nan":
        assert "at 1.000 s" in str(caught.value)


def test_click_in_silence(tmp_path: Path) -> None:
    """Windows without sound say so; the one with the click does not."""
    samples = np.zeros(10 * RATE, dtype=np.float32)
    samples[5 * RATE + 100] = 0.5
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    _, found = windows(tmp_path / "a.wav")
    assert [w.start for w in found if not w.silent] == [4.0, 5.0]


def test_ultrasound_alone_is_silence(tmp_path: Path) -> None:
    """What the model's rate cannot hold is not there for it."""
    samples = np.sin(2 * np.pi * 80_000 * np.arange(192_000) / 192_000)
    ramped = samples * np.hanning(len(samples)) * 0.05
    soundfile.write(tmp_path / "bat.wav", ramped.astype(np.float32), 192_000, subtype="FLOAT")
    with pytest.raises(AudioRejected) as caught:
        windows(tmp_path / "bat.wav")
    assert caught.value.kind == "silent"
