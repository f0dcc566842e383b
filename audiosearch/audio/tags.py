"""Embedded metadata: what a file says of itself, under one set of names.

Text keys: title, description, originator, take, scene, library, category, subcategory, keywords,
comment, date. `markers`: a list of ``{"start": seconds, "label": text}``. mutagen reads ID3, Vorbis
comments, MP4 atoms and ASF; the chunks of RIFF files (INFO, ``bext`` of EBU Tech 3285, iXML, cue and
its labels) and the texts of AIFF are walked here, since no library reads them all.

A damaged tag costs itself: what can be read of it, and whatever else the file holds, is returned.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from audiosearch.audio.chunked import chunks_around
from audiosearch.audio.grammar import is_name
from audiosearch.audio.ixml import ixml
from audiosearch.audio.music_tags import by_mutagen
from audiosearch.audio.splice import bytes_at
from audiosearch.audio.texts import decoded

AnyPath = bytes | str | Path

# Longer texts are lyrics and encoded pictures, and no help in finding a sound.
_LONGEST = 2_000
_MOST_MARKERS = 1_000
# Chunks of metadata that are larger than this hold something else.
_LARGEST_CHUNK = 1 << 20

# LIST INFO (Microsoft's RIFF specification).
_INFO = {
    b"INAM": "title",
    b"ISBJ": "description",
    b"IART": "originator",
    b"IPRD": "library",
    b"IGNR": "category",
    b"IKEY": "keywords",
    b"ICMT": "comment",
    b"ICRD": "date",
}

# The texts of AIFF.
_IFF = {b"NAME": "title", b"AUTH": "originator", b"ANNO": "comment"}


def read_tags(path: AnyPath) -> dict[str, Any]:
    """The metadata of a file; empty where it has none or its tags cannot be read.

    Where several tags say the same thing, the more telling one counts: iXML, then ``bext``, then
    INFO, then what music players read. Raises `OSError` where the file cannot be opened.
    """
    fields: dict[str, Any] = {}
    with open(os.fsencode(path), "rb") as file:  # noqa: PTH123 (bytes)
        chunks = _small_chunks(file)
        rate = 0
        for name in (b"iXML", b"bext", b"LIST", b"fmt ", b"NAME", b"AUTH", b"ANNO"):
            for data in (data for chunk, data in chunks if chunk == name):
                if name == b"iXML":
                    _add(fields, ixml(data))
                elif name == b"bext":
                    _add(fields, _bext(data))
                elif name == b"LIST" and data[:4] == b"INFO":
                    _add(fields, _info(data[4:]))
                elif name == b"fmt " and len(data) >= 8:
                    rate = struct.unpack_from("<I", data, 4)[0]
                elif name in _IFF:
                    _add(fields, [(_IFF[name], decoded(data))])
        markers = _markers(chunks, rate)
        if markers:
            fields["markers"] = markers
        file.seek(0)
        _add(fields, by_mutagen(file))
        for name, data in chunks:
            if name in (b"id3 ", b"ID3 "):
                _add(fields, by_mutagen(io.BytesIO(data)))
    return fields


def _add(fields: dict[str, Any], more: Iterable[tuple[str, str]]) -> None:
    for key, text in more:
        clean = _clean(text)
        if clean:
            fields.setdefault(key, clean)


def _clean(text: str) -> str:
    """Printable text on one line, of bounded length."""
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST])
    return " ".join(visible.split())[:_LONGEST]


# -- the chunks of RIFF ---------------------------------------------------------------------------


def _small_chunks(file: IO[bytes]) -> list[tuple[bytes, bytes]]:
    """Name and content of each small chunk of a RIFF or IFF file; none of other files."""
    size = file.seek(0, os.SEEK_END)
    return [
        (name, bytes_at(file, at, length))
        for name, at, length in chunks_around(file, size)
        if length <= _LARGEST_CHUNK
    ]


def _info(data: bytes) -> Iterator[tuple[str, str]]:
    for name, content in _subchunks(data):
        if name in _INFO:
            yield _INFO[name], decoded(content)


def _subchunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size
        # The padding byte of an odd length is often left out.
        if size % 2 and not (is_name(data[place : place + 4]) and _fits(data, place)):
            place += 1


def _fits(data: bytes, place: int) -> bool:
    """Whether what begins here ends within the data."""
    head = data[place : place + 8]
    return len(head) == 8 and place + 8 + struct.unpack("<I", head[4:])[0] <= len(data)


def _bext(data: bytes) -> Iterator[tuple[str, str]]:
    """Description[256], Originator[32], OriginatorReference[32], OriginationDate[10]."""
    yield "description", decoded(data[:256], full=True)
    yield "originator", decoded(data[256:288], full=True)
    yield "date", decoded(data[320:330])


def _markers(chunks: list[tuple[bytes, bytes]], rate: int) -> list[dict[str, Any]]:
    """Cue points in seconds, with the labels that a LIST adtl gives them."""
    labels: dict[int, str] = {}
    for name, data in chunks:
        if name == b"LIST" and data[:4] == b"adtl":
            for kind, content in _subchunks(data[4:]):
                if kind in (b"labl", b"note") and len(content) >= 4:
                    labels.setdefault(
                        struct.unpack_from("<I", content)[0], _clean(decoded(content[4:]))
                    )
    markers: list[dict[str, Any]] = []
    for name, data in chunks:
        if name == b"cue " and rate:
            # Twenty-four bytes a point: id, position, chunk's name, chunk, block, sample.
            for place in range(4, min(len(data) - 23, 24 * _MOST_MARKERS), 24):
                identity, sample = struct.unpack_from("<I16xI", data, place)
                markers.append({"start": sample / rate, "label": labels.get(identity, "")})
    return sorted(markers, key=lambda marker: marker["start"])
