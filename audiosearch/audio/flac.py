"""FLAC files: streams after each other, and lengths that their headers do not tell.

An encoder that wrote to a pipe leaves 0 as the number of samples; one that was stopped, or a
program that cut the file, another wrong one. The last frame of a stream says where it stands.
Format: RFC 9639.
"""

from __future__ import annotations

import struct
from typing import IO

from audiosearch.audio.part import Part
from audiosearch.audio.splice import Segment, bytes_at, patched, positions

# Magic, and the head of STREAMINFO: 34 bytes, with or without the mark of the last block.
_STREAM = b"fLaC"
_INFO_HEADS = (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22")

# Several frames of the largest kind fit in.
_TAIL = 1 << 18

_BLOCK_SIZES = {
    1: 192,
    **{2 + n: 576 << n for n in range(4)},
    **{8 + n: 256 << n for n in range(8)},
}


def flac_parts(file: IO[bytes], start: int, size: int) -> list[Part]:
    """The streams of a file of `size` bytes, the first of which begins at `start`."""
    starts = [
        at
        for at in positions(file, _STREAM, start, size)
        if bytes_at(file, at + 4, 4) in _INFO_HEADS
    ]
    ends = [*starts[1:], size]
    return [
        _part(file, begin, end, end - begin == size)
        for begin, end in zip(starts, ends, strict=True)
    ]


def _part(file: IO[bytes], start: int, stop: int, alone: bool) -> Part:
    whole: tuple[Segment, ...] | None = None if alone else ((start, stop),)
    info = bytes_at(file, start + 8, 34)
    if len(info) < 34:
        return Part(stop, whole)
    declared = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    there = _last_sample(bytes_at(file, max(start, stop - _TAIL), min(_TAIL, stop - start)), info)
    if there is None or there <= declared:
        return Part(stop, whole)
    fields = int.from_bytes(info[13:18], "big") & ~0xF_FFFF_FFFF | (there & 0xF_FFFF_FFFF)
    segments = patched(start, stop, {start + 8 + 13: fields.to_bytes(5, "big")})
    notice = None
    if declared:  # 0 is allowed, and means that it was not known
        notice = f"its header declares {declared:,} samples, and {there:,} are there: all were read"
    return Part(stop, segments, notice=notice)


def _last_sample(data: bytes, info: bytes) -> int | None:
    """The number of samples up to the end of the last frame that begins in `data`."""
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        if data[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            end = _frame_end(data[at : at + 16], info)
            if end is not None:
                return end
    return None


def _frame_end(head: bytes, info: bytes) -> int | None:
    """The number of the sample behind the frame with this header; `None` where it is none of the
    stream's."""
    coded = _coded_number(head)
    if coded is None:
        return None
    number, place = coded
    code, rate = head[2] >> 4, head[2] & 15
    block = _BLOCK_SIZES.get(code, 0)
    if code in (6, 7):
        wide = code - 5
        block = int.from_bytes(head[place : place + wide], "big") + 1
        place += wide
    place += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    channels = head[3] >> 4
    smallest, largest = struct.unpack(">HH", info[:4])
    whole = place < len(head) and _crc8(head[:place]) == head[place]
    # More than 7: two channels, as sum and difference.
    same = (1 if channels > 7 else channels) == info[12] >> 1 & 7
    if not whole or not same or rate == 15 or not 0 < block <= max(largest, 16):
        return None
    return (number if head[1] & 1 else number * smallest) + block


def _coded_number(head: bytes) -> tuple[int, int] | None:
    """The number of a frame or sample, in the manner of UTF-8, and where it ends."""
    if len(head) < 6 or head[3] & 1:
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    number, place = head[4] & (0x7F >> ones), 4 + max(1, ones)
    following = head[5:place]
    if ones == 1 or any(byte & 0xC0 != 0x80 for byte in following):
        return None
    for byte in following:
        number = number << 6 | byte & 0x3F
    return number, place


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 7 if value & 0x80 else value << 1) & 0xFF
    return value
