"""Embedded metadata: what a file says of itself, under one set of names.

Text keys: title, description, originator, take, scene, library, category, subcategory, keywords,
comment, date. `markers`: a list of ``{"start": seconds, "label": text}``. mutagen reads ID3, Vorbis
comments, MP4 atoms and ASF; the chunks of RIFF files (INFO, ``bext`` of EBU Tech 3285, iXML, cue and
its labels) are walked here, since no library reads them all.

A damaged tag is left out; whatever else the file holds is returned.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import mutagen

AnyPath = bytes | str | Path

# Longer texts are lyrics and encoded pictures, and no help in finding a sound.
_LONGEST = 2_000
_MOST_MARKERS = 1_000
# Chunks of metadata that are larger than this hold something else.
_LARGEST_CHUNK = 1 << 20
_MOST_CHUNKS = 10_000

# Each format's own names. Vorbis, ID3 (by frame), MP4 (by atom), ASF.
_NAMES = {
    "title": ("title", "TIT2", "\xa9nam", "Title"),
    "description": ("description", "desc", "ldes", "Description", "WM/SubTitle", "TIT3"),
    "originator": ("artist", "TPE1", "\xa9ART", "Author", "performer", "TPE2", "aART"),
    "library": ("album", "TALB", "\xa9alb", "WM/AlbumTitle", "organization", "TPUB"),
    "category": ("genre", "TCON", "\xa9gen", "WM/Genre", "category"),
    "keywords": ("keywords", "keyw", "tags", "WM/Category"),
    "comment": ("comment", "COMM", "\xa9cmt", "WM/Comments"),
    "date": ("date", "TDRC", "TYER", "\xa9day", "WM/Year", "year"),
}

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

# iXML (gallery.ixml.info) and the Steinberg attributes that sound libraries fill in.
_IXML = {
    "SCENE": "scene",
    "TAKE": "take",
    "NOTE": "comment",
    "PROJECT": "library",
    "FXNAME": "title",
    "DESCRIPTION": "description",
    "LIBRARY": "library",
    "CATEGORY": "category",
    "SUBCATEGORY": "subcategory",
    "KEYWORDS": "keywords",
    "DESIGNER": "originator",
}
_STEINBERG = {
    "MediaComment": "comment",
    "MediaLibrary": "library",
    "MediaCategoryPost": "category",
    "MusicalCategory": "category",
}


def read_tags(path: AnyPath) -> dict[str, Any]:
    """The metadata of a file; empty where it has none or its tags cannot be read.

    Where several tags say the same thing, the more telling one counts: iXML, then ``bext``, then
    INFO, then what music players read. Raises `OSError` where the file cannot be opened.
    """
    found: dict[str, Any] = {}
    with open(os.fsencode(path), "rb") as file:  # noqa: PTH123 (bytes)
        chunks = list(_riff_chunks(file))
        rate = 0
        for name in (b"iXML", b"bext", b"LIST", b"fmt "):
            for data in (data for chunk, data in chunks if chunk == name):
                if name == b"iXML":
                    _add(found, _ixml(data))
                elif name == b"bext":
                    _add(found, _bext(data))
                elif name == b"LIST" and data[:4] == b"INFO":
                    _add(found, _info(data[4:]))
                elif name == b"fmt " and len(data) >= 8:
                    rate = struct.unpack_from("<I", data, 4)[0]
        markers = _markers(chunks, rate)
        if markers:
            found["markers"] = markers
        file.seek(0)
        _add(found, _by_mutagen(file))
    return found


def _add(found: dict[str, Any], more: Iterable[tuple[str, str]]) -> None:
    for key, text in more:
        clean = _clean(text)
        if clean:
            found.setdefault(key, clean)


def _clean(text: str) -> str:
    """Printable text on one line, of bounded length."""
    visible = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST])
    return " ".join(visible.split())[:_LONGEST]


def _decoded(data: bytes) -> str:
    """Text of a RIFF chunk up to its first NUL: UTF-8 if it can be, else Windows' Latin."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


# -- what mutagen reads -------------------------------------------------------------------------


def _by_mutagen(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    # mutagen raises its own error for what it recognises as damaged, and these for what it does not.
    try:
        read = mutagen.File(file)
        tags = read.tags if read is not None else None
    except (
        mutagen.MutagenError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        struct.error,
        EOFError,
    ):
        return
    if not tags:
        return
    texts = dict(_texts(tags))
    for key, names in _NAMES.items():
        for name in names:
            if texts.get(name.lower()):
                yield key, texts[name.lower()]
                break


def _texts(tags: Any) -> Iterator[tuple[str, str]]:
    """Each tag's name in lower case (ID3: the frame alone) and its text."""
    for name, value in tags.items():
        if str(name).startswith("COMM:iTun"):  # figures for players, not words
            continue
        values = value if isinstance(value, list) else getattr(value, "text", value)
        if not isinstance(values, list):
            values = [values]
        parts = [
            part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
            for part in values[:100]
        ]
        yield str(name).split(":")[0].lower(), ", ".join(parts)


# -- the chunks of RIFF ---------------------------------------------------------------------------


def _riff_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each small chunk of a RIFF, RF64 or BW64 file; none of other files."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return
    data_size = 0
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        start = file.tell()
        if name == b"data":
            if size == 0xFFFF_FFFF:
                size = data_size
        elif size <= _LARGEST_CHUNK:
            content = file.read(size)
            if name == b"ds64" and len(content) >= 16:
                data_size = struct.unpack_from("<Q", content, 8)[0]
            yield name, content
        end = start + size + size % 2
        if end >= 1 << 62:
            return
        file.seek(end)


def _info(data: bytes) -> Iterator[tuple[str, str]]:
    for name, content in _subchunks(data):
        if name in _INFO:
            yield _INFO[name], _decoded(content)


def _subchunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _bext(data: bytes) -> Iterator[tuple[str, str]]:
    """Description[256], Originator[32], OriginatorReference[32], OriginationDate[10]."""
    yield "description", _decoded(data[:256])
    yield "originator", _decoded(data[256:288])
    yield "date", _decoded(data[320:330])


def _ixml(data: bytes) -> Iterator[tuple[str, str]]:
    data = data.strip(b"\0 \r\n\t")
    # Entities can be made to grow without bound; no iXML has any use for them.
    if b"<!DOCTYPE" in data.upper() or b"<!ENTITY" in data.upper():
        return
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        return
    for element in root.iter():
        key = _IXML.get(element.tag.upper()) if isinstance(element.tag, str) else None
        if key and element.text:
            yield key, element.text
        if element.tag == "ATTR":
            named = _STEINBERG.get(element.findtext("NAME", ""))
            if named:
                yield named, element.findtext("VALUE", "")


def _markers(chunks: list[tuple[bytes, bytes]], rate: int) -> list[dict[str, Any]]:
    """Cue points in seconds, with the labels that a LIST adtl gives them."""
    labels: dict[int, str] = {}
    for name, data in chunks:
        if name == b"LIST" and data[:4] == b"adtl":
            for kind, content in _subchunks(data[4:]):
                if kind in (b"labl", b"note") and len(content) >= 4:
                    labels.setdefault(
                        struct.unpack_from("<I", content)[0], _clean(_decoded(content[4:]))
                    )
    found: list[dict[str, Any]] = []
    for name, data in chunks:
        if name == b"cue " and rate:
            # Twenty-four bytes a point: id, position, chunk's name, chunk, block, sample.
            for place in range(4, min(len(data) - 23, 24 * _MOST_MARKERS), 24):
                identity, sample = struct.unpack_from("<I16xI", data, place)
                found.append({"start": sample / rate, "label": labels.get(identity, "")})
    return sorted(found, key=lambda marker: marker["start"])
