"""One bad byte costs the field that it is in."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from mutagen.id3 import COMM, ID3, TIT2

from audiosearch.audio.tags import read_tags
from audiosearch.audio.texts import decoded
from tests.audio.made import RATE, encoded, shared_case, tone

SOUND = tone(400, 0.1)
WAV = encoded(SOUND, "WAV", "PCM_16")


def chunk(name: bytes, data: bytes, *, pad: bool = True, order: str = "<I") -> bytes:
    return name + struct.pack(order, len(data)) + data + (b"\0" if pad and len(data) % 2 else b"")


def tags(tmp_path: Path, data: bytes, name: str = "a.wav") -> dict[str, object]:
    (tmp_path / name).write_bytes(data)
    return read_tags(tmp_path / name)


WHOLE = "<BWFXML><NOTE>big dog</NOTE><SCENE>7</SCENE></BWFXML>"


@pytest.mark.parametrize(
    "xml",
    [
        WHOLE.encode(),
        b"\xef\xbb\xbf" + WHOLE.encode(),
        WHOLE.encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-9"?>' + WHOLE.encode(),
        b'<?xml version="1.0" encoding="UTF-8"?>'
        + WHOLE.replace("big", "gro\xdf").encode("latin-1"),
        WHOLE.replace("big", "cat & big").encode(),
        WHOLE.replace("</SCENE></BWFXML>", "").encode(),
        WHOLE.replace("</NOTE>", "").encode(),
        WHOLE.replace("big", "big\x01").encode(),
        WHOLE.replace("big", "big &nbsp;").encode(),
        WHOLE.replace("<NOTE>", '<NOTE a="1" a="2">').encode(),
        WHOLE.encode() + b"\0\0 trailing",
        b"rubbish" + WHOLE.encode(),
        WHOLE.replace("BWFXML", "x:BWFXML").encode(),
        WHOLE.replace("big dog", "<![CDATA[big dog]]>").encode(),
        WHOLE.replace("big dog", "<![CDATA[big & dog]]>").replace("</BWFXML>", "").encode(),
    ],
)
def test_ixml_that_is_no_xml(tmp_path: Path, xml: bytes) -> None:
    found = tags(tmp_path, WAV + chunk(b"iXML", xml))
    assert "dog" in str(found["comment"])
    assert found["scene"] == "7"


def test_steinberg_attributes_of_a_broken_ixml(tmp_path: Path) -> None:
    attribute = "<ATTR><TYPE>string</TYPE><NAME>MediaComment</NAME><VALUE>a & b</VALUE></ATTR>"
    xml = f"<BWFXML><STEINBERG><ATTR_LIST>{attribute}"
    assert tags(tmp_path, WAV + chunk(b"iXML", xml.encode()))["comment"] == "a & b"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("groß".encode(), "groß"),
        ("groß".encode("cp1252"), "groß"),
        ("Hund und Tür".encode()[:-2], "Hund und T"),
        ("日本語".encode()[:-1], "日本"),
        ("Tür und T\xfcr".encode().replace(b"und", b"u\xffd"), "Tür ud Tür"),
        (b"plain\0rest", "plain"),
    ],
)
def test_texts(data: bytes, text: str) -> None:
    assert decoded(data) == text


def test_bext_cut_inside_a_character(tmp_path: Path) -> None:
    text = ("a dog " * 42 + "vorüber").encode()[:256]
    assert text.endswith(b"vor\xc3") or len(text) == 256
    cut = ("x" * 255 + "ü").encode()[:256]
    found = tags(tmp_path, WAV + chunk(b"bext", cut + bytes(346)))
    assert found["description"] == "x" * 255


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("where", ["before", "after"])
def test_odd_chunks(tmp_path: Path, where: str, pad: bool) -> None:
    info = b"INFO" + chunk(b"INAM", b"a title", pad=pad) + chunk(b"ICMT", b"a comment", pad=pad)
    chunks = chunk(b"LIST", info, pad=pad) + chunk(b"iXML", WHOLE.encode() + b" ", pad=pad)
    at = WAV.index(b"data") if where == "before" else len(WAV)
    found = tags(tmp_path, WAV[:at] + chunks + WAV[at:])
    assert (found["title"], found["scene"]) == ("a title", "7")


def test_tags_behind_a_sound_of_unknown_size(tmp_path: Path) -> None:
    wav = encoded(tone(400, 1), "WAV", "PCM_16")
    at = wav.index(b"data") + 4
    listed = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"a title"))
    for size in (0, 0xFFFF_FFFF, 1_000):
        data = wav[:at] + struct.pack("<I", size) + wav[at + 4 :] + listed
        assert tags(tmp_path, data)["title"] == "a title"


def test_texts_of_aiff(tmp_path: Path) -> None:
    data = encoded(SOUND, "AIFF", "PCM_16")
    data += chunk(b"NAME", b"a title", pad=False, order=">I") + chunk(
        b"ANNO", b"a note", order=">I"
    )
    found = tags(tmp_path, data, "a.aiff")
    assert (found["title"], found["comment"]) == ("a title", "a note")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_own_comment_wins(tmp_path: Path, order: tuple[int, ...]) -> None:
    frames = [
        COMM(3, "eng", "", ["the comment"]),
        COMM(3, "eng", "ID3v1 Comment", ["the comm"]),
        COMM(3, "eng", "iTunNORM", ["0000 0000"]),
    ]
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded(SOUND, "MP3", "MPEG_LAYER_III", RATE))
    id3 = ID3()
    for number in order:
        id3.add(frames[number])
    id3.save(path)
    assert read_tags(path)["comment"] == "the comment"
    id3.delall("COMM:")
    id3.save(path)
    assert read_tags(path)["comment"] == "the comm"


def test_id3_before_sound_that_mutagen_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"")
    id3 = ID3()
    id3.add(TIT2(3, "a title"))
    id3.save(tmp_path / "a.mp3")
    with (tmp_path / "a.mp3").open("ab") as file:
        file.write(b"\1" * 5_000)
    assert read_tags(tmp_path / "a.mp3")["title"] == "a title"


def test_atoms_nested_without_end(tmp_path: Path) -> None:
    data = b""
    for _ in range(5_000):
        data = struct.pack(">I", len(data) + 8) + b"moov" + data
    data = struct.pack(">I", 16) + b"ftypM4A " + bytes(4) + data
    assert tags(tmp_path, data, "a.m4a") == {}


def test_the_reported_files() -> None:
    for name in ("ok", "ampersand", "latin1"):
        found = read_tags(shared_case(f"metadata/{name}.wav"))
        assert found["scene"] == "7"
        assert found["comment"]
    assert "\ufffd" not in str(read_tags(shared_case("metadata/cut.wav"))["description"])
    assert read_tags(shared_case("metadata/unpadded.wav"))["title"] == "a title"
