"""Outlines are exact at every level, are computed once, and a damaged store costs nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.audio import peaks
from audiosearch.audio.render import LONGEST_SECONDS, render
from audiosearch.errors import AudioRejected, InvalidQuery


def whole(samples: np.ndarray, frames: int) -> np.ndarray:
    """What `outline` must give: the definition, bucket by bucket."""
    found = []
    for first in range(0, len(samples), frames):
        part = samples[first : first + frames]
        low, high = float(part.min()), float(part.max())
        found.append([np.sign(v) * np.ceil(abs(v) * 127) for v in (low, high)])
    return np.array(found)


@settings(deadline=None)
@given(st.integers(1, 5_000), st.integers(1, 700), st.integers(1, 3), st.integers(1, 64))
def test_any_level_is_exact(frames: int, block: int, channels: int, buckets: int) -> None:
    samples = np.random.default_rng(frames).uniform(-1, 1, (frames, channels)).astype(np.float32)
    blocks = [samples[first : first + block] for first in range(0, frames, block)]
    finest = peaks.outline(blocks, 8_000)
    assert finest.frames == 256
    coarse = peaks.at_most(finest, buckets)
    assert len(coarse.levels) <= buckets
    assert coarse.levels.dtype == np.int8
    np.testing.assert_array_equal(coarse.levels, whole(samples, coarse.frames))


def test_a_long_file_has_few_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "_MOST_BUCKETS", 8)
    samples = np.random.default_rng(0).uniform(-1, 1, (100_001, 1)).astype(np.float32)
    found = peaks.outline(np.array_split(samples, 37), 8_000)
    assert 4 <= len(found.levels) <= 8
    np.testing.assert_array_equal(found.levels, whole(samples, found.frames))


def test_a_part_knows_where_it_begins() -> None:
    every = peaks.Peaks(np.arange(20, dtype=np.int8).reshape(10, 2), 1_000, 1_000)
    part, begins = peaks.between(every, 2.5, 4.1)
    assert begins == 2.0
    assert part.levels.tolist() == [[4, 5], [6, 7], [8, 9]]


def test_kept_once(tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    soundfile.write(sound, np.full(1_000, 0.5), 8_000)
    store = tmp_path / "peaks"
    assert peaks.load(store, "ab12") is None
    first = peaks.compute(sound)
    peaks.keep(store, "ab12", first)
    (file,) = store.rglob("*.npz")
    again = peaks.load(store, "ab12")
    assert again
    np.testing.assert_array_equal(first.levels, again.levels)
    for rot in (b"", b"rot", file.read_bytes()[:-9]):
        file.write_bytes(rot)
        assert peaks.load(store, "ab12") is None


@pytest.mark.parametrize("kind", ["wav", "opus"])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_render_a_part(tmp_path: Path, kind: str, rate: int) -> None:
    source, target = tmp_path / "a.aiff", tmp_path / "part"
    tone = 0.5 * np.sin(np.arange(3 * rate) * 0.05)
    soundfile.write(source, np.stack([tone] * 4, axis=1), rate)
    render(source, target, kind, 1.0, 2.5)
    info = soundfile.info(target)
    assert info.channels == 2
    assert info.duration == pytest.approx(1.5, abs=0.01)
    assert info.format == {"wav": "WAV", "opus": "OGG"}[kind]


def test_render_wav_is_the_samples(tmp_path: Path) -> None:
    source, target = tmp_path / "a.flac", tmp_path / "b.wav"
    samples = (np.random.default_rng(1).uniform(-0.9, 0.9, 8_000) * 32_768).astype(np.int16)
    soundfile.write(source, samples, 8_000)
    render(source, target, "wav")
    np.testing.assert_allclose(soundfile.read(target, dtype="int16")[0], samples, atol=1)


def test_render_refuses(tmp_path: Path) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(source, np.zeros(100), 8_000)
    for kind, start, end in (("mp3", 0, 1), ("wav", 2, 1), ("wav", 0, LONGEST_SECONDS + 1)):
        with pytest.raises(InvalidQuery):
            render(source, target, kind, start, end)
    with pytest.raises(AudioRejected):
        render(source, target, "wav", 5.0, 6.0)
