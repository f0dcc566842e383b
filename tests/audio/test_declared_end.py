"""Headers that declare another end than the sound has: all is heard, and a word says so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiosearch.audio.reader import read_windows
from tests.audio.made import RATE, encoded, heard, muxed, noise, shared_case, tone

LOW, HIGH = tone(400, 2), tone(2_000, 1)
SOUND = np.concatenate([LOW, HIGH])
TONES = [(0.0, 400.0), (2.0, 2_000.0)]

# A text that parses as a chunk, long enough to be heard as noise if it were taken for samples.
TEXT = b"a comment " * 2_000


def chunk(name: bytes, data: bytes, order: str = "<I") -> bytes:
    return name + struct.pack(order, len(data)) + data


LIST = chunk(b"LIST", b"INFO" + chunk(b"ICMT", TEXT))
ID3 = chunk(b"id3 ", b"ID3\3\0\0\0\0\7\x76" + bytes(1014))


def sized(data: bytes, name: bytes, size: int, order: str, *, offset: int = 4) -> bytes:
    """`data` with another size in the chunk `name`."""
    at = data.index(name) + offset
    return data[:at] + struct.pack(order, size) + data[at + struct.calcsize(order) :]


def wav(size: int | None = None, tail: bytes = b"", subtype: str = "PCM_16") -> bytes:
    data = encoded(SOUND, "WAV", subtype)
    return (data if size is None else sized(data, b"data", size, "<I")) + tail


def rf64(ds64: int, tail: bytes = b"") -> bytes:
    data = encoded(SOUND, "RF64", "PCM_16")
    at = data.index(b"ds64") + 16
    data = data[:at] + struct.pack("<Q", ds64) + data[at + 8 :]
    return sized(data, b"data", 0xFFFF_FFFF, "<I") + tail


def aiff(size: int | None = None, tail: bytes = b"") -> bytes:
    data = encoded(SOUND, "AIFF", "PCM_16")
    return (data if size is None else sized(data, b"SSND", size, ">I")) + tail


def w64(size: int) -> bytes:
    return sized(encoded(SOUND, "W64", "PCM_16"), b"data\xf3\xac", size, "<Q", offset=16)


def caf(size: int, tail: bytes = b"") -> bytes:
    return sized(encoded(SOUND, "CAF", "PCM_16"), b"data", size, ">q") + tail


def au(size: int) -> bytes:
    data = encoded(SOUND, "AU", "PCM_16")
    return data[:8] + struct.pack(">I", size) + data[12:]


def flac(total: int) -> bytes:
    data = bytearray(encoded(SOUND, "FLAC", "PCM_16"))
    data[21] = data[21] & 0xF0 | total >> 32
    data[22:26] = struct.pack(">I", total & 0xFFFF_FFFF)
    return bytes(data)


BYTES = 2 * len(SOUND)

WRONG: dict[str, Callable[[], bytes]] = {
    "size-0.wav": lambda: wav(0),
    "size-0-list.wav": lambda: wav(0, LIST),
    "size-0-id3.wav": lambda: wav(0, ID3),
    "size-0-float.wav": lambda: wav(0, LIST, "FLOAT"),
    "size-0-adpcm.wav": lambda: wav(0, LIST, "IMA_ADPCM"),
    "ones.wav": lambda: wav(0xFFFF_FFFF),
    "ones-list.wav": lambda: wav(0xFFFF_FFFF, LIST),
    "small.wav": lambda: wav(20_000),
    "small-list.wav": lambda: wav(20_000, LIST + ID3),
    "big-list.wav": lambda: wav(3 * BYTES, LIST),
    "size-0.rf64": lambda: rf64(0),
    "size-0-list.rf64": lambda: rf64(0, LIST),
    "small.rf64": lambda: rf64(30_000),
    "ones.rf64": lambda: rf64(0xFFFF_FFFF_FFFF_FFFF, LIST),
    "size-0.aiff": lambda: aiff(0),
    "size-8.aiff": lambda: aiff(8),
    "small.aiff": lambda: aiff(20_000),
    "small-text.aiff": lambda: aiff(20_000, chunk(b"ANNO", TEXT, ">I")),
    "big-text.aiff": lambda: aiff(3 * BYTES, chunk(b"ANNO", TEXT, ">I")),
    "size-0.w64": lambda: w64(0),
    "size-24.w64": lambda: w64(24),
    "small.w64": lambda: w64(20_000),
    "size-0.caf": lambda: caf(0),
    "small.caf": lambda: caf(20_000),
    "ones-info.caf": lambda: caf(-1, chunk(b"info", TEXT, ">Q")),
    "size-0.au": lambda: au(0),
    "small.au": lambda: au(20_000),
    "small.flac": lambda: flac(30_000),
}

RIGHT: dict[str, Callable[[], bytes]] = {
    "list.wav": lambda: wav(None, LIST),
    "unknown-chunk.wav": lambda: wav(None, chunk(b"Zzz9", TEXT)),
    "tag.wav": lambda: wav(None, b"TAG" + bytes(125)),
    "crumbs.wav": lambda: wav(None, b"\1\2\3"),
    "zeros.wav": lambda: wav(None, bytes(20_000)),
    "cut-list.wav": lambda: wav(None, LIST[:9_000]),
    "text.aiff": lambda: aiff(None, chunk(b"ANNO", TEXT, ">I")),
    "ones.caf": lambda: caf(-1),
    "ones.au": lambda: au(0xFFFF_FFFF),
    "size-0.flac": lambda: flac(0),
    "ones.w64": lambda: encoded(SOUND, "W64", "PCM_16"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_size(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WRONG[name]())
    seconds, tones, notices = heard(path)
    # A compressed sound goes in blocks.
    assert seconds == pytest.approx(3, abs=0.1 if "adpcm" in name else 1e-3)
    assert tones == TONES
    assert len(notices) == 1
    assert "all were read" in notices[0] or "read to its end" in notices[0]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_size(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(RIGHT[name]())
    assert heard(path) == (3.0, TONES, [])


@pytest.mark.parametrize("name", ["wav", "aiff", "w64", "caf", "au", "rf64"])
def test_a_real_truncation(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    data = encoded(SOUND, name.upper(), "PCM_16")
    path.write_bytes(data[: len(data) // 2])
    seconds, _, notices = heard(path)
    assert seconds == pytest.approx(1.5, abs=0.05)
    assert notices == [f"declared 3.0 s, decoded {seconds:.1f} s"]


def test_more_than_four_gigabytes(tmp_path: Path) -> None:
    """The size wrapped modulo 2**32. The file is sparse: its middle takes no room."""
    path, sound = tmp_path / "long.wav", (0.5 * HIGH[:, 0] * 32_767).astype("<i2").tobytes()
    length = (1 << 32) + 480_000 + len(sound)
    head = encoded(LOW, "WAV", "PCM_16")[:44]
    with path.open("wb") as file:
        file.write(head[:40] + struct.pack("<I", length & 0xFFFF_FFFF))
        file.seek(44 + length - len(sound))
        file.write(sound + LIST)
    seconds, tones, notices = heard(path, start=(length - 2 * len(sound)) / 2 / RATE)
    assert (seconds, tones) == (2.0, [(0.0, 0.0), (1.0, 2_000.0)])
    assert len(notices) == 1


# -- streams after each other -----------------------------------------------------------------


def id3v2(size: int = 3_000) -> bytes:
    """A tag with bytes in it that look like frames of an mp3."""
    body = b"APIC" + b"\xff\xfb\x90\x00" * (size // 4)
    return b"ID3\3\0\0" + bytes([0, 0, len(body) >> 7 & 127, len(body) & 127]) + body


def vbr_without_note() -> bytes:
    """Quiet, cheap frames and then dear ones; without the frame that tells how long it is."""
    silent = np.zeros((6 * RATE, 1), np.float32)
    data = encoded(np.concatenate([noise(2), silent, HIGH]), "MP3", "MPEG_LAYER_III")
    at = max(data.find(b"Xing"), data.find(b"Info"))
    return data[:at] + b"\0\0\0\0" + data[at + 4 :]


def mp3(samples: np.ndarray, rate: int = RATE) -> bytes:
    return encoded(samples, "MP3", "MPEG_LAYER_III", rate)


def test_vbr_mp3_without_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(vbr_without_note())
    seconds, tones, _ = heard(tmp_path / "a.mp3")
    assert seconds == pytest.approx(9, abs=0.15)
    assert tones[-1][0] == pytest.approx(8, abs=0.3)
    assert tones[-1][1] == 2_000


@pytest.mark.parametrize(
    "data",
    [
        lambda: mp3(LOW) + mp3(HIGH),
        lambda: mp3(LOW) + id3v2() + mp3(HIGH),
        lambda: id3v2() + mp3(LOW) + b"TAG" + bytes(125) + id3v2() + mp3(HIGH),
        lambda: mp3(LOW) + mp3(tone(2_000, 1, 44_100), 44_100),
        lambda: mp3(LOW) + mp3(tone(2_000, 1, channels=2)),
        lambda: mp3(LOW)[:-500] + mp3(HIGH),
    ],
)
def test_two_mp3_in_one_file(tmp_path: Path, data: Callable[[], bytes]) -> None:
    (tmp_path / "a.mp3").write_bytes(data())
    seconds, tones, notices = heard(tmp_path / "a.mp3")
    assert seconds == pytest.approx(3, abs=0.25)
    assert [hertz for _, hertz in tones if hertz in (400, 2_000)] == [400, 2_000]
    assert sum(hertz not in (0, 400, 2_000) for _, hertz in tones) <= 2
    assert notices
    assert "all were read" in notices[0]


def test_an_mp3_that_was_cut(tmp_path: Path) -> None:
    data = mp3(np.concatenate([noise(8), HIGH]))
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    _, _, notices = heard(tmp_path / "a.mp3")
    assert notices[0].startswith("declared 9.0 s, decoded 4.")


def ogg(samples: np.ndarray, codec: str, rate: int) -> bytes:
    if codec == "VORBIS":
        return encoded(samples, "OGG", codec, rate)
    return muxed([(samples, rate)], "ogg", codec)


@pytest.mark.parametrize("first", ["VORBIS", "libopus", "flac"])
@pytest.mark.parametrize("second", ["VORBIS", "libopus", "flac"])
def test_chained_ogg(tmp_path: Path, first: str, second: str) -> None:
    """Of two codecs, rates, and numbers of channels."""
    rate = 48_000 if second == "libopus" else 44_100
    data = ogg(tone(400, 2, 48_000), first, 48_000)
    data += ogg(tone(2_000, 1, rate, channels=2), second, rate)
    (tmp_path / "a.ogg").write_bytes(data)
    seconds, tones, notices = heard(tmp_path / "a.ogg")
    assert seconds == pytest.approx(3, abs=0.05)
    assert tones == TONES
    assert notices == ["it holds 2 sounds after each other: all were read"]


def test_the_same_ogg_twice(tmp_path: Path) -> None:
    """Both links have one serial number."""
    data = ogg(LOW, "VORBIS", RATE)
    (tmp_path / "a.ogg").write_bytes(data + data)
    seconds, _, notices = heard(tmp_path / "a.ogg")
    assert seconds == pytest.approx(4, abs=0.05)
    assert len(notices) == 1


@pytest.mark.parametrize(
    "data",
    [
        lambda: encoded(LOW, "FLAC", "PCM_16") + encoded(HIGH, "FLAC", "PCM_16"),
        lambda: (
            encoded(LOW, "FLAC", "PCM_16")
            + encoded(tone(2_000, 1, 44_100, 2), "FLAC", "PCM_24", 44_100)
        ),
        lambda: encoded(LOW, "WAV", "PCM_16") + encoded(HIGH, "WAV", "PCM_16"),
        lambda: (
            encoded(LOW, "WAV", "PCM_16")
            + LIST
            + encoded(tone(2_000, 1, 8_000), "WAV", "ULAW", 8_000)
        ),
        lambda: encoded(LOW, "AIFF", "PCM_16") + encoded(HIGH, "AIFF", "PCM_24"),
    ],
)
def test_concatenated_files(tmp_path: Path, data: Callable[[], bytes]) -> None:
    (tmp_path / "a").write_bytes(data())
    seconds, tones, notices = heard(tmp_path / "a")
    assert seconds == pytest.approx(3, abs=0.01)
    assert tones == TONES
    assert notices == ["it holds 2 sounds after each other: all were read"]


@pytest.mark.parametrize("start", [0.5, 1.25, 2.25])
def test_a_part_of_concatenated_files(tmp_path: Path, start: float) -> None:
    data = encoded(LOW, "FLAC", "PCM_16") + encoded(
        tone(2_000, 1, 44_100), "FLAC", "PCM_16", 44_100
    )
    (tmp_path / "a.flac").write_bytes(data)
    with read_windows(
        tmp_path / "a.flac", rate=RATE, length=RATE, hop=RATE, start=start, end=start + 0.5
    ) as (reading, windows):
        (window,) = windows
    assert window.start == start
    assert window.end == pytest.approx(start + 0.5, abs=1e-3)
    assert reading.duration == pytest.approx(start + 0.5, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(window.samples))
    assert spectrum.argmax() == (2_000 if start >= 2 else 400)


def test_the_reported_files() -> None:
    seconds, tones, _ = heard(shared_case("declared-end/dog_at_23s.mp3"))
    assert seconds == pytest.approx(29, abs=0.1)
    assert tones[-1][0] > 22
    seconds, _, notices = heard(shared_case("declared-end/crashed.wav"))
    assert seconds == 1.0
    assert notices == ["its header declares 0 bytes of sound, and 96,000 are there: all were read"]
