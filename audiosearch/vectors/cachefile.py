"""`vectors.faiss`: a FAISS index, and a footer that says which library and state it caches.

FAISS reads its part from the front and ignores the rest, so the footer stands behind it:

    FAISS index | footer as JSON | length of the footer, 4 bytes little-endian | b"ASVC"

The footer carries a CRC-32 of the index. Every opening checks it (100 MB: 17 ms), because FAISS's
own reader trusts its file: it never receives a torn or rotten one.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audiosearch.errors import LibraryReadOnly

CACHE = "vectors.faiss"
_MAGIC = b"ASVC"
_BLOCK = 1 << 22


class CacheUnusable(Exception):
    """The file is missing or damaged, or belongs to another library; the message says which."""


class SnapshotTooOld(CacheUnusable):
    """The cache file is newer than the reader's snapshot: the reader must take a new snapshot."""


@dataclass(frozen=True)
class CacheFooter:
    """The contents of a cache file: the `count` vectors of model `model` with window ids up to
    `covers`.

    `generation` is the library's generation when the file was made. `trained_on` is the number of
    vectors that trained its coarse quantiser, 0 for a flat index.
    """

    library_id: str
    model: str
    kind: str
    dimension: int
    count: int
    covers: int
    generation: int
    trained_on: int
    index_bytes: int = 0
    crc32: int = 0


def _crc32(path: Path, size: int) -> int:
    value = 0
    with path.open("rb") as file:
        while size > 0:
            block = file.read(min(size, _BLOCK))
            if not block:
                break
            value = zlib.crc32(block, value)
            size -= len(block)
    return value


def write_cache(directory: Path, index: Any, footer: CacheFooter) -> CacheFooter:
    """Write the index under a temporary name, make it durable, and put it in place in one step.

    Raises `LibraryReadOnly` where the disk refuses it; the old file then stays.
    """
    temporary = directory / (CACHE + ".tmp")
    try:
        footer = _write_durably(temporary, index, footer)
        temporary.replace(directory / CACHE)
        _make_renames_durable(directory)
    except (OSError, RuntimeError) as error:  # FAISS raises RuntimeError
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or "no space, or the disk failed"
        raise LibraryReadOnly(
            f"cannot write {directory / CACHE}: {reason}; all sounds are kept and can be searched: "
            "run this again when the disk has room"
        ) from error
    return footer


def _write_durably(path: Path, index: Any, footer: CacheFooter) -> CacheFooter:
    import faiss

    faiss.write_index(index, str(path))
    size = path.stat().st_size
    footer = replace(footer, index_bytes=size, crc32=_crc32(path, size))
    text = json.dumps(asdict(footer)).encode("ascii")
    with path.open("ab") as file:
        file.write(text + len(text).to_bytes(4, "little") + _MAGIC)
        file.flush()
        os.fsync(file.fileno())
    return footer


def _make_renames_durable(directory: Path) -> None:
    if os.name == "posix":
        folder = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_footer(directory: Path) -> CacheFooter:
    """Return the footer alone. Raises `CacheUnusable`."""
    path = directory / CACHE
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 8))
            tail = file.read(8)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != _MAGIC or length > end - 8:
                raise CacheUnusable("it is not a cache of audiosearch, or it was cut short")
            file.seek(end - 8 - length)
            footer = CacheFooter(**json.loads(file.read(length)))
    except FileNotFoundError as error:
        raise CacheUnusable("there is none yet") from error
    except OSError as error:
        raise CacheUnusable(f"it cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise CacheUnusable("its footer is damaged") from error
    if footer.index_bytes != end - 8 - length:
        raise CacheUnusable("its length is not what its footer says")
    return footer


def read_cache(directory: Path, footer: CacheFooter, *, writable: bool = False) -> Any:
    """Return the FAISS index, memory-mapped unless `writable`.

    Raises `CacheUnusable` where the checksum of the file is wrong.
    """
    path = directory / CACHE
    try:
        if _crc32(path, footer.index_bytes) != footer.crc32:
            raise CacheUnusable("its checksum is wrong")
        import faiss

        index = faiss.read_index(str(path), 0 if writable else faiss.IO_FLAG_MMAP_IFC)
    except (OSError, RuntimeError) as error:
        raise CacheUnusable(f"it cannot be read ({error})") from error
    if index.ntotal != footer.count or index.d != footer.dimension:
        raise CacheUnusable("it does not hold what its footer says")
    return index
