"""Fingerprints: the same for one sound at any level, rate and cut of its blocks."""

from __future__ import annotations

import numpy as np
import pytest

from audiosearch.audio.fingerprint import Fingerprint, fingerprint
from audiosearch.duplicates.comparison import Agreement, Comparable, agreement

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """(frames,) float32 at 16 kHz: noise, the hardest to align, for nothing in it stands out."""
    count = round(seconds * RATE)
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def compared(one: np.ndarray, two: np.ndarray) -> Agreement:
    first, second = (Comparable(fingerprint([(samples, RATE)])) for samples in (one, two))
    return agreement(first, second)


def test_blocks_do_not_matter() -> None:
    sound = noise(1.3)
    whole = fingerprint([(sound, RATE)])
    parts = fingerprint([(part, RATE) for part in np.array_split(sound, 37)])
    assert np.array_equal(whole.changes, parts.changes)
    assert np.array_equal(whole.levels, parts.levels)
    assert whole.changes.shape[1] == 16
    assert abs(whole.seconds - 1.3) < 0.2


def test_the_stored_form_is_the_same() -> None:
    made = fingerprint([(noise(0.5), RATE)])
    read = Fingerprint.from_bytes(made.to_bytes())
    assert np.array_equal(made.changes, read.changes)
    assert np.array_equal(made.levels, read.levels)


@pytest.mark.parametrize("damage", [b"", b"no zlib", b"short"])
def test_a_damaged_one_is_an_error(damage: bytes) -> None:
    import zlib

    stored = zlib.compress(b"1234") if damage == b"short" else damage
    with pytest.raises(ValueError, match="fingerprint"):
        Fingerprint.from_bytes(stored)


def test_level_does_not_matter_and_is_measured() -> None:
    sound = noise(2)
    agreed = compared(sound, sound / 4)
    assert agreed.score > 0.99
    assert agreed.gain == pytest.approx(-12, abs=0.5)
    assert agreed.offset == 0


def test_sounds_that_do_not_agree_need_no_gain() -> None:
    one, other = (Comparable(fingerprint([(noise(2, n) / (1 + 3 * n), RATE)])) for n in (0, 1))
    assert agreement(one, other).gain == pytest.approx(-12, abs=1)
    assert agreement(one, other, 0.7).gain == 0.0
    assert agreement(one, one, 0.7) == agreement(one, one)


@pytest.mark.parametrize("cut", [0.5, 0.505, 0.51, 0.515])
def test_a_cut_is_measured(cut: float) -> None:
    sound = noise(3)
    agreed = compared(sound, sound[round(cut * RATE) :])
    assert agreed.score > 0.85
    assert agreed.offset == pytest.approx(cut, abs=0.025)
    assert compared(sound[round(cut * RATE) :], sound).offset == pytest.approx(-cut, abs=0.025)


def test_less_than_half_is_no_copy() -> None:
    sound = noise(3)
    assert compared(sound, sound[: 2 * RATE]).score > 0.9
    assert compared(sound, sound[:RATE]).score < 0.3


def test_another_take_does_not_agree() -> None:
    assert compared(noise(3), noise(3, seed=1)).score < 0.2


def test_quiet_ends_that_are_alike_do_not_agree() -> None:
    tail = np.zeros(2 * RATE, np.float32)
    tail[RATE] = 0.01
    one, two = (np.concatenate([noise(0.5, seed), tail]) for seed in (1, 2))
    assert compared(one, two).score < 0.5


def test_what_has_nothing_to_compare() -> None:
    nothing, silence = np.empty(0, np.float32), np.zeros(RATE, np.float32)
    click = np.array([0.5], np.float32)
    assert compared(nothing, nothing).score == 0
    assert compared(silence, silence).score == 0
    assert compared(click, silence).score == 0
    assert compared(click, click).score > 0.99
