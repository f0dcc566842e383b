"""Chained Ogg files: logical streams after each other, as internet radio and `cat` make them.

Decoders stop at the first link. Each begins with pages that carry the flag "beginning of stream",
one for each stream that is multiplexed in it (RFC 3533).
"""

from __future__ import annotations

from typing import IO

from audiosearch.audio.part import Part
from audiosearch.audio.splice import bytes_at, positions

_PAGE = b"OggS\x00"
_FIRST = 2
_HEAD = 27


def ogg_parts(file: IO[bytes], start: int, size: int) -> list[Part]:
    """The links of a file of `size` bytes, the first of which begins at `start`."""
    starts: list[int] = []
    following = -1  # where the page after the last first one begins
    for flags in (_FIRST, _FIRST | 4):  # 4: its only page
        for at in positions(file, _PAGE + bytes([flags]), start, size):
            starts.append(at)
    links: list[int] = []
    for at in sorted(starts):
        length = _page_length(file, at)
        if length is None:
            continue
        if at != following:
            links.append(at)
        following = at + length
    if len(links) < 2:
        return [Part(size, None if start == 0 else ((start, size),))]
    return [
        Part(stop, ((begin, stop),)) for begin, stop in zip(links, [*links[1:], size], strict=True)
    ]


def _page_length(file: IO[bytes], at: int) -> int | None:
    """Bytes of the page; `None` where it is not the first of a stream."""
    head = bytes_at(file, at, _HEAD)
    if len(head) < _HEAD or head[18:22] != bytes(4):
        return None
    lacing = bytes_at(file, at + _HEAD, head[26])
    return _HEAD + len(lacing) + sum(lacing)
