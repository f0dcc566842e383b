"""Loudness equals that of pyloudnorm, an implementation of others, at every rate and any blocks."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from audiosearch.audio.loudness import Loudness, LoudnessMeter, integrated, k_weighting
from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only


def measure(samples: np.ndarray, rate: int, block: int = 131_072) -> Loudness:
    meter = LoudnessMeter()
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block], rate)
    return meter.result()


def theirs(samples: np.ndarray, rate: int) -> float:
    pyloudnorm: Any = pytest.importorskip("pyloudnorm")
    # "DeMan": the recommendation's own filter. The other one is 0.2 LU beside it at 8 kHz.
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    # It takes an incomplete block at the end for a whole one, which the recommendation does not.
    samples = samples[: len(samples) * 10 // rate * rate // 10]
    return float(meter.integrated_loudness(samples.astype(np.float64)))


def made(rate: int, channels: int, seconds: float = 4.13) -> np.ndarray:
    """Noise with a quiet beginning, over a rumble that the filter must take away."""
    samples = 0.1 * np.random.default_rng(channels).standard_normal((int(rate * seconds), channels))
    samples[:rate] *= 0.01
    rumble = np.sin(2 * np.pi * 20 * np.arange(len(samples)) / rate)
    return (samples + 0.3 * rumble[:, None]).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_it_equals_pyloudnorm(rate: int, channels: int) -> None:
    samples = made(rate, channels)
    assert measure(samples, rate).integrated == pytest.approx(theirs(samples, rate), abs=0.01)


@thorough_only
def test_real_sounds_equal_pyloudnorm(sample_directory: Path) -> None:
    """What indexing stored, of all decoders and of mono and stereo files."""
    with Library.open(sample_directory) as library:
        sounds = [sound for sound in library.sounds() if sound.duration and sound.duration > 0.4]
    assert {sound.channels for sound in sounds} == {1, 2}
    for sound in sounds[::6]:
        samples, rate = soundfile.read(sound.path, dtype="float32", always_2d=True)
        assert sound.loudness == pytest.approx(theirs(samples, rate), abs=0.1), sound.path
        assert sound.peak == pytest.approx(20 * np.log10(np.abs(samples).max()), abs=0.1)


def test_the_filters_are_those_of_the_recommendation() -> None:
    """Its tables give both filters at 48 kHz, here as what they make of an impulse."""
    tables = (
        ([1.53512485958697, -2.69169618940638, 1.19839281085285], [-1.69065929318241, 0.73248077421585]),
        ([1.0, -2.0, 1.0], [-1.99004745483398, 0.99007225036621]),
    )  # fmt: skip
    for section, (b, a) in zip(k_weighting(48_000), tables, strict=True):
        state, outs, expected = np.zeros(2), [], [0.0, 0.0]
        for number in range(200):
            sample = float(number == 0)
            outs.append(section.out @ state + section.straight * sample)
            state = section.over @ state + section.entry * sample
            past = b[number] if number < 3 else 0.0
            expected.append(past - a[0] * expected[-1] - a[1] * expected[-2])
        assert outs == pytest.approx(expected[2:], abs=1e-9)


def test_a_full_scale_sine_of_997_hz() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000).astype(np.float32)[:, None]
    one = measure(sine, 48_000)
    assert one.integrated == pytest.approx(-3.01, abs=0.01)
    assert one.peak == pytest.approx(0, abs=1e-4)
    assert measure(sine.repeat(2, axis=1), 48_000).integrated == pytest.approx(0, abs=0.01)


def test_channels_of_5_1_count_as_they_should() -> None:
    """Of six channels the LFE counts nothing, and a surround 1.5 dB more."""
    noise = made(48_000, 1)
    front = measure(noise, 48_000).integrated
    assert front is not None
    levels = []
    for channel in range(6):
        surround = np.zeros((len(noise), 6), np.float32)
        surround[:, channel] = noise[:, 0]
        levels.append(measure(surround, 48_000).integrated)
    more = front + 10 * np.log10(1.41)
    assert levels[3] is None
    assert [*levels[:3], *levels[4:]] == pytest.approx([front] * 3 + [more] * 2, abs=0.01)


@pytest.mark.parametrize("block", [1, 777, 4_096])
def test_cuts_change_nothing(block: int) -> None:
    samples = made(8_000, 2, 1.3)
    whole = measure(samples, 8_000, len(samples))
    assert measure(samples, 8_000, block).integrated == pytest.approx(whole.integrated, abs=1e-4)


def test_what_has_no_loudness() -> None:
    noise = made(8_000, 1)
    assert measure(noise[:3_199], 8_000).integrated is None  # shorter than 0.4 s
    assert measure(noise[:3_200], 8_000).integrated is not None
    silence = np.zeros((16_000, 2), np.float32)
    assert measure(silence, 8_000) == Loudness(None, None)
    assert LoudnessMeter().result() == Loudness(None, None)
    assert integrated(np.full(100, 1e-9)) is None  # below the absolute gate


def test_the_rate_and_the_channels_may_change() -> None:
    """Each run begins anew; what was heard before counts on."""
    meter = LoudnessMeter()
    meter.add(made(8_000, 1), 8_000)
    meter.add(made(48_000, 2), 48_000)
    result = meter.result().integrated
    one, two = measure(made(8_000, 1), 8_000), measure(made(48_000, 2), 48_000)
    assert one.integrated is not None
    assert two.integrated is not None
    assert result is not None
    assert one.integrated < result < two.integrated


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_filters_and_an_older_library(sample_directory: Path, tmp_path: Path) -> None:
    """Loudness can be asked for; a library that has none gets it by reading the files again."""
    directory = shutil.copytree(sample_directory, tmp_path / "library")
    with Library.open(directory) as library:
        loud = list(library.sounds(where={"loudness": (-20, None)}))
        assert loud
        assert all(sound.loudness is not None and sound.loudness >= -20 for sound in loud)
        quiet = list(library.sounds(where={"max_loudness": -20}))
        short = [sound for sound in library.sounds() if sound.loudness is None]
        assert len(loud) + len(quiet) + len(short) == 61
        hit = library.search("rain", 1, where={"min_loudness": loud[0].loudness})[0]
        assert hit.loudness == library.sound(hit.id).loudness
        fire = library.sound(SAMPLES / "fire" / "campfire.ogg")
        with closing(sqlite3.connect(directory / "library.db")) as database, database:
            database.execute("UPDATE contents SET loudness = NULL, peak = NULL")
        folder = SAMPLES / "fire"
        library.add(folder)
        assert library.sound(fire.id).loudness is None
        summary = library.add(folder, rehash=True)
        assert (summary.unchanged, summary.failed) == (1, 0)
        assert library.sound(fire.id) == fire
        assert not list(library.sounds(where={"loudness": (None, -90)}))
