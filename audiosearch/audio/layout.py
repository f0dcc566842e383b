"""What sounds are in a file, and how decoders have to see them to hear all of each.

In the common case a file is one sound, and its header right: a look at its first and last bytes
tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import IO

from audiosearch.audio.chunked import part_at
from audiosearch.audio.flac import flac_parts
from audiosearch.audio.grammar import grammar_of
from audiosearch.audio.mpeg import Mpeg, examine, skip_id3
from audiosearch.audio.ogg import ogg_parts
from audiosearch.audio.part import Part
from audiosearch.audio.splice import bytes_at

__all__ = ["Part", "mp3_layout", "parts_of"]

# A file of thousands is one that was made to keep a decoder busy.
_MOST_PARTS = 1_000


def parts_of(file: IO[bytes], size: int) -> list[Part]:
    """The sounds of a file of `size` bytes, in order; one at least. Raises `OSError`."""
    start = skip_id3(file, 0)
    head = bytes_at(file, start, 16)
    if head[:4] == b"OggS":
        return ogg_parts(file, start, size)[:_MOST_PARTS]
    if head[:4] == b"fLaC":
        return flac_parts(file, start, size)[:_MOST_PARTS] or [Part(size)]
    parts: list[Part] = []
    while start < size and len(parts) < _MOST_PARTS:
        head = bytes_at(file, start, 16)
        if grammar_of(head) is None and head[:4] not in (b".snd", b"dns."):
            break
        part = part_at(file, start, size)
        if part is None or part.stop <= start:
            break
        parts.append(replace(part, start=start))
        start = part.stop
    return parts or [Part(size)]


def mp3_layout(file: IO[bytes], size: int) -> Mpeg:
    """What an mp3 says of its length, against what is there. Raises `OSError`."""
    return examine(file, size)
