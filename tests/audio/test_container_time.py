"""Times are those of the container's clock, in hits, outlines, parts and renderings alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch.audio import peaks
from audiosearch.audio.reader import read_windows
from audiosearch.audio.render import render
from tests.audio.made import heard, muxed, shared_case, tone

RATE = 48_000
SOUND = [(np.concatenate([tone(400, 2, RATE), tone(2_000, 2, RATE)]), RATE)]
FORMS = {"mp4": "aac", "mov": "pcm_s16le", "matroska": "flac", "mpegts": "aac", "flv": "aac"}


@pytest.mark.parametrize("form", FORMS)
def test_sound_that_begins_late(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    path.write_bytes(muxed(SOUND, form, FORMS[form], late=3.0, video=8.0))
    seconds, tones, notices = heard(path)
    assert seconds == pytest.approx(7, abs=0.15)
    assert [hertz for _, hertz in tones[:3]] == [0, 400, 2_000]
    assert [second for second, _ in tones[:3]] == pytest.approx([0, 3, 5], abs=0.3)
    assert notices == []


@pytest.mark.parametrize("form", ["matroska", "mp4", "mpegts", "webm"])
def test_a_gap_is_silence(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    path.write_bytes(muxed(SOUND, form, FORMS.get(form, "libopus"), gaps=((1.5, 5.0),)))
    seconds, tones, notices = heard(path)
    assert seconds == pytest.approx(9, abs=0.15)
    assert [hertz for _, hertz in tones[:4]] == [400, 0, 400, 2_000]
    assert [second for second, _ in tones[:4]] == pytest.approx([0, 1.5, 6.5, 7], abs=0.3)
    assert notices == []


def test_a_clock_that_was_set_anew(tmp_path: Path) -> None:
    """Two recordings after each other, the second with earlier times, or with much later ones."""
    early = muxed(SOUND, "mpegts", "aac")
    late = muxed(SOUND, "mpegts", "aac", late=7 * 3600.0)
    for data in (early + early, early + late, late + early):
        (tmp_path / "a.ts").write_bytes(data)
        seconds, _, _ = heard(tmp_path / "a.ts")
        assert seconds == pytest.approx(8, abs=0.3)


def test_all_share_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(muxed(SOUND, "matroska", "flac", late=3.0, gaps=((2.0, 5.0),), video=14.0))
    with read_windows(path, rate=16_000, length=16_000, hop=16_000) as (reading, windows):
        sounding = [window.start for window in windows if not window.silent]
    assert reading.duration == pytest.approx(12, abs=0.1)
    # A window that ends where the sound begins holds the ringing of the resampler before it.
    assert {3, 4, 10, 11} <= {round(start) for start in sounding} <= {2, 3, 4, 5, 9, 10, 11}
    with read_windows(path, rate=16_000, length=16_000, hop=16_000, start=10.25, end=11.25) as (
        _,
        windows,
    ):
        (window,) = windows
    assert (window.start, window.end) == (10.25, 11.25)
    assert np.abs(np.fft.rfft(window.samples)).argmax() == 2_000
    outline = peaks.compute(path)
    for start, end, loud in ((0, 2.9, False), (3.1, 5, True), (5.2, 9.9, False), (10.2, 12, True)):
        part, _ = peaks.between(outline, start, end)
        assert bool(part.levels.any()) == loud
    render(path, tmp_path / "part.wav", "wav", 9.0, 12.0)
    seconds, tones, _ = heard(tmp_path / "part.wav")
    assert seconds == pytest.approx(3, abs=0.1)
    assert tones == [(0.0, 0.0), (1.0, 2_000.0)]


@pytest.mark.parametrize("form", ["matroska", "mp4", "mpegts", "mov", "avi"])
def test_a_longer_video_is_no_promise(tmp_path: Path, form: str) -> None:
    codec = {"mov": "pcm_s16le", "avi": "pcm_s16le"}.get(form, "aac")
    (tmp_path / "a").write_bytes(muxed(SOUND, form, codec, video=30.0))
    seconds, _, notices = heard(tmp_path / "a")
    assert seconds == pytest.approx(4, abs=0.1)
    assert notices == []


@pytest.mark.parametrize("form", ["matroska", "webm", "mp4", "mpegts"])
def test_a_clock_that_begins_late_is_no_truncation(tmp_path: Path, form: str) -> None:
    codec = {"webm": "libopus", "matroska": "flac"}.get(form, "aac")
    (tmp_path / "a").write_bytes(muxed(SOUND, form, codec, late=30.0))
    seconds, _, notices = heard(tmp_path / "a")
    assert seconds == pytest.approx(4, abs=0.1) or seconds == pytest.approx(34, abs=0.1)
    assert notices == []


def test_an_estimate_is_no_promise(tmp_path: Path) -> None:
    """Of raw streams FFmpeg guesses the length from the first frames."""
    quiet = np.zeros((20 * RATE, 1), np.float32)
    rng = np.random.default_rng(0)
    loud = rng.normal(0, 0.2, (2 * RATE, 1)).astype(np.float32)
    for form in ("adts", "mpegts"):
        for sound in (np.concatenate([quiet, loud]), np.concatenate([loud, quiet])):
            (tmp_path / "a").write_bytes(muxed([(sound, RATE)], form, "aac"))
            seconds, _, notices = heard(tmp_path / "a")
            assert seconds == pytest.approx(22, abs=0.2)
            assert notices == []


@pytest.mark.parametrize("form", ["matroska", "mov"])
def test_a_real_truncation_is_one(tmp_path: Path, form: str) -> None:
    data = muxed([(np.concatenate([tone(400, 8, RATE)]), RATE)], form, "pcm_s16le")
    if form == "mov":
        pytest.skip("its index is at its end")
    (tmp_path / "a").write_bytes(data[: len(data) // 2])
    _, _, notices = heard(tmp_path / "a")
    assert notices[0].startswith("declared 8.0 s, decoded ")


def test_the_reported_files() -> None:
    with read_windows(
        shared_case("container-time/late.mp4"), rate=16_000, length=16_000, hop=16_000
    ) as (_, windows):
        sounding = [window.start for window in windows if not window.silent]
    assert sounding[0] in (3.0, 4.0)
    seconds, _, notices = heard(shared_case("container-time/short_audio.mkv"))
    assert seconds == pytest.approx(6, abs=0.1)
    assert notices == []
