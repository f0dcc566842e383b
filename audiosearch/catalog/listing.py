"""Lists of sounds as files that other programs read. Names that are not UTF-8 keep their bytes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

from audiosearch.catalog.records import Sound
from audiosearch.errors import InvalidQuery

_COLUMNS = (
    "id",
    "path",
    "duration",
    "format",
    "sample_rate",
    "channels",
    "loudness",
    "peak",
    "external_id",
)


def as_paths(sounds: Sequence[Sound]) -> bytes:
    """Return one absolute path a line."""
    return b"".join(_line(sound.path) + b"\n" for sound in sounds)


def as_csv(sounds: Sequence[Sound]) -> bytes:
    """Return a table with a head. A line break in a name is quoted."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")  # as RFC 4180 has it
    table.writerow(_COLUMNS)
    table.writerows([getattr(sound, name) for name in _COLUMNS] for sound in sounds)
    return text.getvalue().encode("utf-8", "surrogateescape")


def as_m3u8(sounds: Sequence[Sound]) -> bytes:
    """Return a playlist, whose seconds are whole as players want them."""
    lines = [b"#EXTM3U"]
    for sound in sounds:
        path = _line(sound.path)
        lines += [b"#EXTINF:%d,%s" % (round(sound.duration or -1), os.path.basename(path)), path]  # noqa: PTH119
    return b"\n".join(lines) + b"\n"


def _line(path: str) -> bytes:
    if "\n" in path or "\r" in path:
        raise InvalidQuery(f"{path!r} holds a line break, which only csv can say")
    return os.fsencode(path)
