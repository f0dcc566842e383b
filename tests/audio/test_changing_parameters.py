"""Streams whose rate or channels change midway: each frame counts with its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch.audio import peaks
from audiosearch.audio.reader import read_windows
from audiosearch.audio.render import render
from tests.audio.made import encoded, heard, muxed, shared_case, tone

FIRST = (tone(400, 2, 48_000), 48_000)
SECOND = {
    "channels": (tone(2_000, 1, 48_000, 2), 48_000),
    "rate": (tone(2_000, 1, 32_000), 32_000),
    "both": (tone(2_000, 1, 44_100, 2), 44_100),
}
FORMS = {"adts": "aac", "ac3": "ac3", "eac3": "eac3", "mpegts": "aac", "mp2": "mp2"}


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_change(tmp_path: Path, form: str, second: str, turned: bool) -> None:
    tracks = [FIRST, SECOND[second]][:: -1 if turned else 1]
    data = b"".join(muxed([track], form, FORMS[form]) for track in tracks)
    path = tmp_path / f"a.{form}"
    path.write_bytes(data)
    seconds, tones, _ = heard(path)
    assert seconds == pytest.approx(3, abs=0.2)
    loud = [hertz for _, hertz in tones if hertz]
    assert (loud[0], loud[-1]) == ((2_000, 400) if turned else (400, 2_000))
    assert {hertz for _, hertz in tones} <= {0, 400, 2_000}


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_nothing_is_lost_to_the_rate_of_the_first(tmp_path: Path, rate: int) -> None:
    """Each part is resampled from its own rate, not by way of another."""
    data = encoded(tone(400, 2, rate), "FLAC", "PCM_16", rate)
    (tmp_path / "a.flac").write_bytes(
        data + encoded(tone(10_000, 2, 48_000), "FLAC", "PCM_16", 48_000)
    )
    with read_windows(tmp_path / "a.flac", rate=32_000, length=64_000, hop=64_000) as (
        reading,
        windows,
    ):
        *_, last = windows
    assert reading.duration == pytest.approx(4, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(last.samples))
    assert spectrum.argmax() == pytest.approx(20_000, abs=2)


def test_outline_and_rendering_follow(tmp_path: Path) -> None:
    data = muxed([FIRST], "adts", "aac") + muxed([SECOND["both"]], "adts", "aac")
    (tmp_path / "a.aac").write_bytes(data)
    outline = peaks.compute(tmp_path / "a.aac")
    assert len(outline.levels) * outline.seconds == pytest.approx(3, abs=0.2)
    render(tmp_path / "a.aac", tmp_path / "a.wav", "wav")
    seconds, tones, _ = heard(tmp_path / "a.wav")
    assert seconds == pytest.approx(3, abs=0.2)
    assert tones[-1][1] in (0, 2_000)


def test_the_reported_file() -> None:
    seconds, _, _ = heard(shared_case("mid-stream-change/channels.aac"))
    assert seconds == pytest.approx(14, abs=0.1)
