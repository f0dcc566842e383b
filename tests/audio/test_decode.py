"""Every format that people keep sounds in, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audiosearch.audio.decode import open_audio
from audiosearch.errors import AudioRejected

RATE = 32_000
# A sweep, so that a shift or a gap would show.
SECONDS = 2.0
TIME = np.arange(round(SECONDS * RATE)) / RATE
SWEEP = (0.4 * np.sin(2 * np.pi * (300 * TIME + 400 * TIME**2))).astype(np.float32)


def encode(path: Path, codec: str, rate: int = RATE) -> None:
    """Write the sweep through FFmpeg."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(SWEEP[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            for packet in stream.encode(part):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def write(path: Path) -> None:
    suffix = path.suffix[1:]
    codecs = {"m4a": "aac", "mp4": "aac", "mkv": "ac3", "wma": "wmav2", "mov": "pcm_s16le"}
    if suffix in codecs:
        encode(path, codecs[suffix])
    elif suffix == "opus":
        encode(path, "libopus", 48_000)
    else:
        soundfile.write(path, SWEEP, RATE)


def read(path: Path | bytes, start: int = 0) -> np.ndarray:
    with open_audio(path) as stream:
        return np.concatenate(list(stream.blocks(start)))[:, 0]


FORMATS = ["wav", "flac", "aiff", "caf", "ogg", "mp3", "opus", "m4a", "mp4", "mkv", "wma", "mov"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write(path)
    with open_audio(path) as stream:
        info = stream.info
        found = np.concatenate(list(stream.blocks()))
        assert stream.truncated is None
    assert info.channels == 1
    assert info.format == {"opus": "ogg"}.get(suffix, suffix)
    assert found.dtype == np.float32
    seconds = len(found) / info.sample_rate
    assert seconds == pytest.approx(SECONDS, abs=0.1)
    # The loudest match of sweep and sound: aligned within an encoder's delay, and alike.
    if info.sample_rate == RATE:
        spectrum = np.fft.rfft(found[:, 0], 1 << 18) * np.conj(np.fft.rfft(SWEEP, 1 << 18))
        match = np.fft.irfft(spectrum)
        assert match.max() > 0.9 * float(SWEEP @ SWEEP)
        shift = int(match.argmax())
        assert min(shift, (1 << 18) - shift) <= 2_400


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "m4a"])
def test_start_is_exact(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write(path)
    whole, part = read(path), read(path, start=20_001)
    # mp3 needs some frames to settle after a seek.
    settled = 3_000 if suffix == "mp3" else 0
    assert len(part) == len(whole) - 20_001
    assert part[settled:] == pytest.approx(whole[20_001 + settled :], abs=1e-4)


def test_start_behind_the_end(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    with open_audio(tmp_path / "a.wav") as stream:
        assert list(stream.blocks(start=10**9)) == []


def test_blocks_are_bounded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((200_000, 8), np.float32), 192_000)
    with open_audio(tmp_path / "a.wav") as stream:
        sizes = [block.size for block in stream.blocks()]
    assert max(sizes) <= 1 << 18
    assert sum(sizes) == 1_600_000


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "m4a"])
def test_truncated_gives_what_is_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "m4a":  # its index is at the end unless it is told to be quick
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("aac", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(SWEEP[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    else:
        write(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_audio(path) as stream_:
        frames = sum(len(block) for block in stream_.blocks())
        assert 0.3 * len(SWEEP) < frames < 0.8 * len(SWEEP)
        assert stream_.truncated
        assert stream_.truncated.startswith("declared 2.0 s, decoded ")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"just a text, " * 100, "undecodable"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "undecodable"),
        (b"#EXTM3U\n#EXTINF:1,a\n/etc/passwd\n", "undecodable"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "undecodable"),
        (b"RIFF" + bytes(60), "undecodable"),
    ],
)
def test_no_sound(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with pytest.raises(AudioRejected) as caught, open_audio(path) as stream:
        list(stream.blocks())
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


def test_playlist_does_not_reach_other_files(tmp_path: Path) -> None:
    """FFmpeg would follow a playlist, to any file or address."""
    write(tmp_path / "real.wav")
    for content in (
        f"ffconcat version 1.0\nfile {tmp_path}/real.wav\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\n{tmp_path}/real.wav\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "list.mp4").write_text(content)
        with pytest.raises(AudioRejected), open_audio(tmp_path / "list.mp4") as stream:
            list(stream.blocks())


def test_absurd_headers_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[24:28] = (3_000_000_000).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioRejected) as caught, open_audio(tmp_path / "a.wav"):
        pass
    assert caught.value.kind in ("refused", "undecodable")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioRejected) as caught, open_audio(tmp_path / "a.wav"):
        pass
    assert caught.value.kind == "unreadable"
    with pytest.raises(AudioRejected), open_audio(tmp_path):
        pass


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path / "a.m4a")
    write(tmp_path / "a.wav")
    for suffix in (b".m4a", b".wav"):
        name = bytes(tmp_path) + b"/\xff\n\"'" + suffix
        (tmp_path / f"a{suffix.decode()}").rename(name.decode("utf-8", "surrogateescape"))
        assert len(read(name)) > 60_000
