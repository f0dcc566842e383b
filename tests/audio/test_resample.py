"""One channel, one rate, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.audio.resample import QUALITY, mono, resampled


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_mono_is_the_mean(channels: int) -> None:
    block = np.random.default_rng(0).normal(size=(100, channels)).astype(np.float32)
    before = block.copy()
    assert mono(block) == pytest.approx(block.mean(axis=1), abs=1e-6)
    assert np.array_equal(block, before)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]),
    count=st.integers(1, 20_000),
    data=st.data(),
)
def test_blocks_do_not_matter(rate: int, count: int, data: st.DataObject) -> None:
    samples = np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=5)))
    parts = list(resampled(np.split(samples, cuts), rate, 32_000))
    found = np.concatenate([np.empty(0, np.float32), *parts])
    whole = soxr.resample(samples, rate, 32_000, quality=QUALITY)
    assert abs(len(found) - count * 32_000 / rate) <= 1
    assert found == pytest.approx(whole[: len(found)], abs=1e-5)


def test_same_rate_is_the_same_samples() -> None:
    blocks = [np.ones(3, dtype=np.float32), np.zeros(2, dtype=np.float32)]
    assert all(a is b for a, b in zip(resampled(blocks, 8_000, 8_000), blocks, strict=True))


def test_a_tone_stays_a_tone() -> None:
    tone = np.sin(2 * np.pi * 1_000 * np.arange(48_000) / 48_000).astype(np.float32)
    found = np.concatenate(list(resampled([tone], 48_000, 32_000)))
    expected = np.sin(2 * np.pi * 1_000 * np.arange(32_000) / 32_000)
    assert found[1_000:-1_000] == pytest.approx(expected[1_000:-1_000], abs=1e-4)
