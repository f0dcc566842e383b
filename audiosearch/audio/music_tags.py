"""What mutagen reads: ID3, APE, Vorbis comments, MP4 atoms, ASF, under our names."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import mutagen
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3

from audiosearch.audio.loose_tags import loose_texts

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

# mutagen raises its own error for what it recognises as damaged, and these for what it does not.
_DAMAGED = (
    mutagen.MutagenError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,  # atoms nested without end
    struct.error,
    zlib.error,
    EOFError,
)

# Comments that programs make: of one kind figures for players, of the other a copy cut to 30 letters.
_FIGURES = ("COMM:iTun", "COMM:Songs-DB", "COMM:MusicMatch")
_COPIES = ("COMM:ID3v1", "COMM:c0")


def by_mutagen(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Key and text of what the tags of a file say."""
    known, tags = _whole(file)
    if not known:
        tags = _part(file, ID3) or _part(file, APEv2)
    texts = _texts(tags) if tags else {}
    loose = loose_texts(file)
    damaged = not known or any("\ufffd" in text for text in texts.values())
    # mutagen leaves out a damaged frame without a word.
    texts = {**texts, **loose} if damaged else {**loose, **texts}
    for key, names in _NAMES.items():
        for name in names:
            if texts.get(name.lower()):
                yield key, texts[name.lower()]
                break


def _whole(file: IO[bytes]) -> tuple[bool, Any]:
    """Whether mutagen knows the sound, and its tags."""
    try:
        read = mutagen.File(file)
        return read is not None, getattr(read, "tags", None)
    except _DAMAGED:
        return False, None


def _part(file: IO[bytes], kind: Callable[[IO[bytes]], Any]) -> Any:
    """The tag alone, of a file whose sound mutagen does not know."""
    try:
        file.seek(0)
        return kind(file)
    except _DAMAGED:
        return None


def _texts(tags: Any) -> dict[str, str]:
    """The text of each tag by its name in lower case (ID3: the frame alone)."""
    fields: dict[str, str] = {}
    # Of several comments the one without a description is the user's own.
    names = sorted(tags.keys(), key=lambda name: _rank(str(name)))
    for name in names:
        if str(name).startswith(_FIGURES):
            continue
        try:
            value = tags[name]
        except _DAMAGED:
            continue
        text = _text(value)
        if text.strip():
            fields.setdefault(str(name).split(":")[0].lower(), text)
    return fields


def _rank(name: str) -> int:
    if not name.startswith("COMM"):
        return 0
    if name.startswith(_COPIES):
        return 3
    return 1 if name.startswith("COMM::") or name == "COMM" else 2


def _text(value: Any) -> str:
    values = value if isinstance(value, list) else getattr(value, "text", value)
    if not isinstance(values, list):
        values = [values]
    parts = [
        part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
        for part in values[:100]
    ]
    return ", ".join(parts)
