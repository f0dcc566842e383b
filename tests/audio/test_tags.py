"""Embedded metadata, written by hand or by mutagen, and what damage does to it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import av
import mutagen
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosearch.audio.tags import read_tags

TONE = (0.3 * np.sin(np.arange(8_000) / 10)).astype(np.float32)


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def wav(path: Path, *chunks: bytes) -> Path:
    """A mono wav of 8 kHz with more chunks behind its data."""
    fmt = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8_000, 16_000, 2, 16))
    body = b"WAVE" + fmt + chunk(b"data", bytes(1_001)) + b"".join(chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def bext(description: str, originator: str, date: str) -> bytes:
    fields = (description.encode().ljust(256, b"\0"), originator.encode().ljust(32, b"\0"))
    return chunk(
        b"bext", b"".join(fields) + bytes(32) + date.encode().ljust(10, b"\0") + bytes(280)
    )


def info(**texts: str) -> bytes:
    parts = [chunk(name.encode(), text.encode() + b"\0") for name, text in texts.items()]
    return chunk(b"LIST", b"INFO" + b"".join(parts))


def test_plain_file_has_none(tmp_path: Path) -> None:
    assert read_tags(wav(tmp_path / "a.wav")) == {}


def test_info(tmp_path: Path) -> None:
    tags = read_tags(wav(tmp_path / "a.wav", info(INAM="Tür, zu", ICMT="a comment", IART="Ann")))
    assert tags == {"title": "Tür, zu", "comment": "a comment", "originator": "Ann"}


def test_broadcast_wave_and_ixml(tmp_path: Path) -> None:
    ixml = """<?xml version="1.0"?><BWFXML><SCENE>12A</SCENE><TAKE>3</TAKE><NOTE>wind</NOTE>
        <USER><CATEGORY>DOORS</CATEGORY><SUBCATEGORY>WOOD</SUBCATEGORY></USER></BWFXML>"""
    path = wav(
        tmp_path / "a.wav",
        info(ISBJ="from INFO", IPRD="Doors vol. 2"),
        bext("Door, wood, slam", "Recordist", "2024-05-06"),
        chunk(b"iXML", ixml.encode()),
    )
    assert read_tags(path) == {
        "description": "Door, wood, slam",
        "originator": "Recordist",
        "date": "2024-05-06",
        "library": "Doors vol. 2",
        "scene": "12A",
        "take": "3",
        "comment": "wind",
        "category": "DOORS",
        "subcategory": "WOOD",
    }


def test_markers(tmp_path: Path) -> None:
    points = b"".join(
        struct.pack("<II4sIII", number, sample, b"data", 0, 0, sample)
        for number, sample in ((1, 400), (2, 100))
    )
    labels = b"adtl" + chunk(b"labl", struct.pack("<I", 1) + b"slam\0")
    path = wav(
        tmp_path / "a.wav",
        chunk(b"cue ", struct.pack("<I", 2) + points),
        chunk(b"LIST", labels),
    )
    assert read_tags(path)["markers"] == [
        {"start": 100 / 8_000, "label": ""},
        {"start": 400 / 8_000, "label": "slam"},
    ]


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "m4a", "aiff"])
def test_players_tags(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "m4a":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(TONE[None], format="fltp", layout="mono")
            frame.sample_rate = 8_000
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    else:
        soundfile.write(path, TONE, 8_000)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if suffix in ("flac", "ogg"):
        file["title"], file["artist"], file["genre"] = "Gewitter ⚡", ["Ann", "Bo"], "Weather"
    elif suffix == "m4a":
        file["\xa9nam"], file["\xa9ART"], file["\xa9gen"] = "Gewitter ⚡", ["Ann", "Bo"], "Weather"
    else:
        file.tags.add(mutagen.id3.TIT2(encoding=3, text="Gewitter ⚡"))
        file.tags.add(mutagen.id3.TPE1(encoding=3, text=["Ann", "Bo"]))
        file.tags.add(mutagen.id3.TCON(encoding=3, text="Weather"))
    file.save()
    tags = read_tags(path)
    assert tags["title"] == "Gewitter ⚡"
    assert tags["originator"] == "Ann, Bo"
    assert tags["category"] == "Weather"


def test_long_texts_and_control_characters(tmp_path: Path) -> None:
    tags = read_tags(wav(tmp_path / "a.wav", info(INAM="a\nb\x1b[31mc", ICMT="x" * 100_000)))
    assert tags["title"] == "a b [31mc"
    assert len(tags["comment"]) == 2_000


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><BWFXML><NOTE>&c;</NOTE></BWFXML>'
    assert read_tags(wav(tmp_path / "a.wav", chunk(b"iXML", bomb.encode()))) == {}


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/\xe9t\xe9.wav"
    with open(path, "wb") as file:  # noqa: PTH123 (bytes)
        file.write(wav(tmp_path / "a.wav", info(INAM="summer")).read_bytes())
    assert read_tags(path) == {"title": "summer"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("tags")
    points = struct.pack("<I", 1) + struct.pack("<II4sIII", 1, 7, b"data", 0, 0, 7)
    everything = wav(
        folder / "a.wav",
        info(INAM="a title"),
        bext("description", "someone", "2024-05-06"),
        chunk(b"iXML", b"<BWFXML><NOTE>note</NOTE></BWFXML>"),
        chunk(b"cue ", points),
    )
    found = [everything.read_bytes()]
    for suffix in ("flac", "ogg", "mp3"):
        path = folder / f"a.{suffix}"
        soundfile.write(path, TONE, 8_000)
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file["title"] = "a title"
        file.save()
        found.append(path.read_bytes())
    return found


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damage_never_raises(tmp_path: Path, originals: list[bytes], data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from(originals)))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    path = tmp_path / "damaged"
    path.write_bytes(damaged if cut % 2 else damaged[:cut])
    json.dumps(read_tags(path), allow_nan=False)
