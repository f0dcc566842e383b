"""One sound of a file, as a decoder is to see it; the simplest container, AU; and the largest, RF64."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

from audiosearch.audio.splice import Segment, bytes_at, patched

# Less than this after the last chunk is what some program left there, and no sound of any length.
CRUMBS = 4_096


@dataclass(frozen=True)
class Part:
    """One sound of a file, from `start` to `stop`. `segments`: the file as a decoder is to see it,
    `None` where it may see the whole as it is. `declared` and `present` are bytes of sound;
    `declared` is `None` where the header does not say. `notice`: how header and file disagree."""

    stop: int
    segments: tuple[Segment, ...] | None = None
    declared: int | None = None
    present: int = 0
    notice: str | None = None
    start: int = 0


def au_part(file: IO[bytes], start: int, size: int) -> Part | None:
    """The sound of an AU file that begins at `start`."""
    head = bytes_at(file, start, 24)
    if len(head) < 24:
        return None
    order = ">" if head[:4] == b".snd" else "<"
    offset, declared = struct.unpack(order + "II", head[4:12])
    present = size - start - offset
    whole = None if start == 0 else ((start, size),)
    if declared == 0xFFFF_FFFF:  # as the format has it
        return Part(size, whole, None, max(0, present))
    if declared >= present or present - declared < CRUMBS:
        return Part(size, whole, declared, max(0, present))
    segments = patched(start, size, {start + 8: struct.pack(order + "I", 0xFFFF_FFFF)})
    notice = (
        f"its header declares {declared:,} bytes of sound, and {present:,} are there: all were read"
    )
    return Part(size, segments, None, present, notice)


def as_rf64(
    file: IO[bytes], chunks: dict[bytes, tuple[int, int]], content: int, length: int
) -> tuple[Segment, ...]:
    """Header and sound of a RIFF alone, as RF64, which can say more than 4 GiB. `chunks`: place and
    size of those before the sound, which begins at `content`."""
    place, size = chunks.get(b"fmt ", (0, 0))
    form = b"fmt " + struct.pack("<I", size) + bytes_at(file, place, min(size, 1 << 16))
    sizes = struct.pack("<QQQI", length + len(form) + 56, length, 0, 0)
    head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", len(sizes)) + sizes + form
    return (head + b"data\xff\xff\xff\xff", (content, content + length))
