"""ID3v2 frames and Vorbis comments of damaged tags, each read for itself.

Libraries give up a tag whole: for a size beyond the file, a count too high, a byte that is no UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from audiosearch.audio.texts import decoded

# Tags are at the start, before pictures that are larger.
_MOST = 1 << 18
_MOST_ENTRIES = 1_000
_FRAME = re.compile(rb"T[A-Z0-9]{3}|COMM")


def loose_texts(file: IO[bytes]) -> dict[str, str]:
    """The text of each tag by its name in lower case; the first of each counts."""
    file.seek(0)
    data = file.read(4)
    if data[:3] != b"ID3" and data not in (b"fLaC", b"OggS"):
        return {}
    data += file.read(_MOST)
    texts: dict[str, str] = {}
    pairs: Iterator[tuple[str, str]] = iter(())
    if data[:3] == b"ID3":
        pairs = _id3(data)
    elif data[:4] == b"fLaC":
        pairs = _vorbis(_flac_block(data))
    elif data[:4] == b"OggS":
        pairs = _vorbis(_ogg_packet(data))
    for name, text in pairs:
        if text.strip():
            texts.setdefault(name.lower(), text)
    return texts


def _id3(data: bytes) -> Iterator[tuple[str, str]]:
    """Frames of ID3v2.3 and 2.4: name, size, flags, content."""
    version, at = data[3], 10
    for _ in range(_MOST_ENTRIES):
        head = data[at : at + 10]
        if len(head) < 10 or not re.fullmatch(rb"[A-Z0-9]{4}", head[:4]):
            return
        size = int.from_bytes(head[4:8], "big")
        if version == 4 and max(head[4:8]) < 128:
            size = head[4] << 21 | head[5] << 14 | head[6] << 7 | head[7]
        content = data[at + 10 : at + 10 + size]
        if _FRAME.fullmatch(head[:4]) and content:
            # Three letters of a language, and a description up to its NUL, come before a comment.
            comment = head[:4] == b"COMM"
            text = _encoded(content[0], content[4:] if comment else content[1:], comment)
            if text is not None:
                yield head[:4].decode(), text
        at += 10 + size


def _encoded(code: int, data: bytes, comment: bool) -> str | None:
    """The text of a frame; `None` for a comment that has a description, which a program made."""
    if code in (1, 2):
        whole = data.decode("utf-16" if code == 1 else "utf-16-be", "ignore")
    else:
        if code > 3:  # no such encoding: the byte may be missing
            data = data if code < 32 else bytes([code]) + data
        parts = data.split(b"\0")
        whole = "\0".join(decoded(part) for part in parts)
    if comment:
        description, nul, text = whole.partition("\0")
        if description.strip("\ufeff"):
            return None if nul else description
        whole = text
    return whole.lstrip("\ufeff").partition("\0")[0]


def _flac_block(data: bytes) -> bytes:
    """The block of comments."""
    at = 4
    for _ in range(_MOST_ENTRIES):
        head = data[at : at + 4]
        if len(head) < 4:
            break
        size = int.from_bytes(head[1:], "big")
        if head[0] & 127 == 4:
            return data[at + 4 : at + 4 + size]
        if head[0] & 128:
            break
        at += 4 + size
    return b""


def _ogg_packet(data: bytes) -> bytes:
    """What follows the mark of the comments, without the heads of pages."""
    payload, at = b"", 0
    while data[at : at + 4] == b"OggS" and len(data) > at + 27:
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        begin = at + 27 + len(lacing)
        payload += data[begin : begin + sum(lacing)]
        at = begin + sum(lacing)
    for mark in (b"\x03vorbis", b"OpusTags"):
        place = payload.find(mark)
        if place >= 0:
            return payload[place + len(mark) :]
    return b""


def _vorbis(data: bytes) -> Iterator[tuple[str, str]]:
    """Vendor, count, and comments, each after its length."""
    at = 4 + int.from_bytes(data[:4], "little") + 4
    for _ in range(_MOST_ENTRIES):
        head = data[at : at + 4]
        if len(head) < 4:
            return
        size = int.from_bytes(head, "little")
        name, equals, text = data[at + 4 : at + 4 + size].partition(b"=")
        if not equals or not name.isascii() or size > len(data) - at:
            return
        yield name.decode("ascii"), decoded(text)
        at += 4 + size
