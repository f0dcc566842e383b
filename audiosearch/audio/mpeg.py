"""MP3 files: how long they are, and tags in the middle of them.

An mp3 has no length. A note in its first frame may give one (Xing and its equals), which programs
that cut or join files leave as it was; without it libsndfile guesses from the first frames. Where
the note agrees with the file, it is believed; else the whole file is read to its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

from audiosearch.audio.splice import Segment, bytes_at, positions

# Padding. An encoder that counts otherwise costs nothing but another decoder.
_SLACK = 64

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_FRAME = re.compile(rb"\xff[\xe2-\xff]")


@dataclass(frozen=True)
class Mpeg:
    """`exact`: the file is as long as its note says. `seconds`: what the note says. `segments`: the
    file without the tags in it, `None` where it has none but at its ends."""

    exact: bool
    seconds: float | None
    segments: tuple[Segment, ...] | None


def examine(file: IO[bytes], size: int) -> Mpeg:
    """What the note of an mp3 of `size` bytes says, against what is there."""
    start = skip_id3(file, 0)
    end = _without_tags(file, size)
    note = _note(bytes_at(file, start, 4_096))
    seconds = None
    if note is not None:
        seconds, length = note
        if seconds is not None and length is not None and abs(end - start - length) <= _SLACK:
            return Mpeg(True, seconds, None)
    return Mpeg(False, seconds, _tagless(file, start, size))


def skip_id3(file: IO[bytes], at: int) -> int:
    """Where the ID3v2 tags end that begin at `at`, if any do."""
    while (length := _id3_length(bytes_at(file, at, 10))) is not None:
        at += length
    return at


def _id3_length(head: bytes) -> int | None:
    if len(head) < 10 or head[:3] != b"ID3" or head[3] not in (2, 3, 4) or max(head[6:10]) > 127:
        return None
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 16 else 0)


def _without_tags(file: IO[bytes], size: int) -> int:
    """Where the sound ends, before ID3v1 and APE tags."""
    if bytes_at(file, max(0, size - 128), 3) == b"TAG":
        size -= 128
    foot = bytes_at(file, max(0, size - 32), 32)
    if foot[:8] == b"APETAGEX":
        size -= int.from_bytes(foot[12:16], "little") + (32 if foot[23] & 128 else 0)
    return max(0, size)


def _note(data: bytes) -> tuple[float | None, int | None] | None:
    """Seconds and bytes of the note in the first frame that is found in `data`."""
    for match in _FRAME.finditer(data):
        head = data[match.start() : match.start() + 4]
        if len(head) < 4:
            break
        version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3
        if version == 1 or layer != 1 or rate == 3 or head[2] >> 4 in (0, 15):
            continue
        mono = head[3] >> 6 == 3
        side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
        per_frame = (1152 if version == 3 else 576) / _RATES[version][rate]
        frame = data[match.start() :]
        at = 4 + side
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            count = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else None
            place = at + (12 if flags & 1 else 8)
            length = int.from_bytes(frame[place : place + 4], "big") if flags & 2 else None
            return (None if count is None else count * per_frame), length
        if frame[36:40] == b"VBRI":
            length = int.from_bytes(frame[46:50], "big")
            return int.from_bytes(frame[50:54], "big") * per_frame, length
        return None
    return None


def _tagless(file: IO[bytes], start: int, size: int) -> tuple[Segment, ...] | None:
    """The file from the start of its sound on, without the tags within: pictures in them may look
    like sound."""
    cuts: list[tuple[int, int]] = []
    for at in positions(file, b"ID3", start, size):
        length = _id3_length(bytes_at(file, at, 10))
        if length is not None and _FRAME.match(bytes_at(file, at + length, 2)):
            cuts.append((at, at + length))
    for at in positions(file, b"TAG", start, size - 128):
        follows = bytes_at(file, at + 128, 3)
        if (follows == b"ID3" or _FRAME.match(follows)) and _is_id3v1(bytes_at(file, at, 128)):
            cuts.append((at, at + 128))
    for at in positions(file, b"APETAGEX", start, size):
        head = bytes_at(file, at, 32)
        if len(head) == 32 and head[23] & 32:  # a header, not a footer
            cuts.append((at, at + 32 + int.from_bytes(head[12:16], "little")))
    if not cuts:
        return None
    segments: list[Segment] = []
    for first, last in sorted(cuts):
        if first >= start:
            segments.append((start, first))
        start = max(start, last)
    return (*segments, (start, size))


def _is_id3v1(tag: bytes) -> bool:
    """Texts of letters, padded with NUL or blanks; the year is four digits or nothing."""
    year = tag[93:97].strip(b"\0 ")
    return tag[:3] == b"TAG" and (not year or year.isdigit())
