"""Verdicts look at every channel and every track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosearch.audio import peaks
from audiosearch.audio.mix import Mixer
from audiosearch.audio.reader import Reading, read_windows
from audiosearch.audio.resample import mono
from audiosearch.audio.windows import Window
from audiosearch.errors import AudioRejected
from tests.audio.made import RATE, heard, muxed, noise, shared_case, tone


def windows(path: Path) -> tuple[Reading, list[Window]]:
    with read_windows(path, rate=RATE, length=RATE, hop=RATE) as (reading, found):
        return reading, [window for window in found if not window.silent]


@pytest.mark.parametrize("signs", [(1, -1), (1, -1, 1, -1), (1, -0.97), (-1, 1, 0)])
@pytest.mark.parametrize("form", ["wav", "flac"])
def test_opposite_phase(tmp_path: Path, signs: tuple[float, ...], form: str) -> None:
    sound = noise(3)
    path = tmp_path / f"a.{form}"
    soundfile.write(path, sound * np.array(signs), RATE, subtype="PCM_24")
    reading, found = windows(path)
    # Of three channels one is silent, and stays in the mean.
    level = 0.5 if len(signs) == 3 else 1.0
    assert reading.peak == pytest.approx(level * float(np.abs(sound).max()), abs=1e-3)
    assert [window.start for window in found] == [0, 1, 2]
    loudest = level * sound[:, 0] * signs[0]
    assert found[1].samples == pytest.approx(loudest[RATE : 2 * RATE], abs=1e-3)


def test_opposite_phase_for_a_while(tmp_path: Path) -> None:
    """A second of it amid sound that does not cancel; nothing clicks where it begins and ends."""
    left = tone(100, 3)[:, 0]
    right = np.concatenate([left[:RATE], -left[RATE : 2 * RATE], left[2 * RATE :]])
    mixed = Mixer().mix(np.stack([left, right], axis=1))
    level = np.abs(mixed).reshape(10, -1).max(axis=1)
    assert level.min() > 0.1
    assert np.abs(np.diff(mixed[:RATE])).max() < 0.02  # as of the tone itself


def test_a_cancelled_pair_beside_other_channels(tmp_path: Path) -> None:
    """5.1 whose front pair cancels, while the low one rumbles."""
    sound = np.zeros((2 * RATE, 6), np.float32)
    sound[:, 0] = tone(2_000, 2)[:, 0] * 0.5
    sound[:, 1] = -sound[:, 0]
    sound[:, 3] = tone(50, 2)[:, 0]
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    _, found = windows(tmp_path / "a.wav")
    power = np.abs(np.fft.rfft(found[0].samples))
    assert power[2_000] > 0.1 * power.max()
    assert power[50] == power.max()


def test_the_common_mix_is_the_mean() -> None:
    rng = np.random.default_rng(0)
    for channels, frames in ((1, 50_000), (2, 50_000), (6, 8_192), (2, 3), (2, 0)):
        block = rng.normal(0, 0.1, (frames, channels)).astype(np.float32)
        assert np.array_equal(Mixer().mix(block), mono(block))


def test_one_quiet_channel_of_many(tmp_path: Path) -> None:
    """Its mean with seven silent ones is below what counts as silence; it is not."""
    sound = np.zeros((RATE, 8), np.float32)
    sound[:, 3] = tone(400, 1)[:, 0] * 2e-4
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    _, found = windows(tmp_path / "a.wav")
    assert len(found) == 1


def test_silence_in_every_channel_and_track_is_silence(tmp_path: Path) -> None:
    silent = (np.zeros((2 * RATE, 1), np.float32), RATE)
    (tmp_path / "a.mov").write_bytes(muxed([silent, silent], "mov", "pcm_s16le"))
    with pytest.raises(AudioRejected) as caught:
        windows(tmp_path / "a.mov")
    assert caught.value.kind == "silent"


FORMS = {"mov": "pcm_s16le", "mp4": "aac", "matroska": "flac", "mpegts": "aac", "mxf": "pcm_s16le"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sounding", [0, 1, 2])
def test_the_first_track_that_sounds(tmp_path: Path, form: str, sounding: int) -> None:
    rate = 48_000
    silent = (np.zeros((2 * rate, 1), np.float32), rate)
    tracks = [silent] * 3
    tracks[sounding] = (tone(2_000, 2, rate), rate)
    path = tmp_path / f"a.{form}"
    path.write_bytes(muxed(tracks, form, FORMS[form], video=2.0 if form == "mxf" else 0.0))
    seconds, tones, notices = heard(path)
    assert seconds == pytest.approx(2, abs=0.1)
    assert (0.5, 2_000.0) in tones or tones[0] == (0.0, 2_000.0)
    first = ", the first that is not silent" if sounding else ""
    assert notices == [f"it has 3 tracks: track {sounding + 1} is heard{first}"]
    # The outline is that of the same track.
    assert peaks.compute(path).levels.max() > 30


def test_the_default_track_comes_first(tmp_path: Path) -> None:
    tracks = [(tone(400, 2, 48_000), 48_000), (tone(2_000, 2, 48_000), 48_000)]
    data = bytearray(muxed(tracks, "matroska", "flac"))
    # Matroska's FlagDefault (0x88) of the first track: 0. The muxer writes it only where it is not 1.
    import av

    path = tmp_path / "a.mkv"
    path.write_bytes(bytes(data))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as target:
        pairs = {s.index: target.add_stream_from_template(s) for s in source.streams}
        pairs[0].disposition = av.stream.Disposition(0)
        pairs[1].disposition = av.stream.Disposition.default
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = pairs[packet.stream.index]
                target.mux(packet)
    _, tones, notices = heard(tmp_path / "b.mkv")
    assert tones[0] == (0.0, 2_000.0)
    assert notices == ["it has 2 tracks: track 2 is heard"]


def test_the_reported_files() -> None:
    reading, found = windows(shared_case("channels-and-tracks/antiphase.wav"))
    assert found
    reading, found = windows(shared_case("channels-and-tracks/camera.mov"))
    assert found
    assert reading.notices == ["it has 2 tracks: track 2 is heard, the first that is not silent"]
