"""A file as a decoder should see it: parts of it, and bytes in place of some.

Decoders believe headers. Where one is wrong, they are given the same file with the right numbers in
it; where several sounds lie in one file, each of them alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO

from audiosearch.errors import AudioRejected

# Bytes of ours, or (start, stop) of the file.
Segment = bytes | tuple[int, int]


@dataclass(frozen=True)
class Source:
    """What a decoder is to read: a whole file (no `segments`), or segments of it end to end."""

    path: bytes
    segments: tuple[Segment, ...] | None = None

    def open(self) -> IO[bytes]:
        """A file object for reading."""
        file = open(self.path, "rb")  # noqa: PTH123, SIM115 (bytes; the caller closes it)
        return file if self.segments is None else Splice(file, self.segments)


class Splice(io.RawIOBase, BinaryIO):
    """Segments of a file, end to end, as a file. Closing it closes the file."""

    def __init__(self, file: IO[bytes], segments: Sequence[Segment]) -> None:
        self._file, self._at = file, 0
        self._places: list[tuple[int, int, Segment]] = []
        end = 0
        for segment in segments:
            length = len(segment) if isinstance(segment, bytes) else segment[1] - segment[0]
            if length > 0:
                self._places.append((end, end + length, segment))
                end += length
        self._end = end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        if base + offset < 0:
            raise OSError(22, "a place before the start of the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill the buffer as far as the segments go: libsndfile takes a short read for the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        filled = 0
        for start, stop, segment in self._places:
            if filled == len(view) or stop <= self._at:
                continue
            inside = self._at - start
            size = min(stop - self._at, len(view) - filled)
            if isinstance(segment, bytes):
                data = segment[inside : inside + size]
            else:
                self._file.seek(segment[0] + inside)
                data = self._file.read(size)
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._at += len(data)
            if len(data) < size:  # the file was cut while it was read
                break
        return filled

    def close(self) -> None:
        self._file.close()
        super().close()


class NotingFile:
    """A file that remembers that the system could not read it, which FFmpeg takes for its end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            self._error = error
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def check(self) -> None:
        """Raises `AudioRejected` where a read failed."""
        if self._error is not None:
            reason = (self._error.strerror or str(self._error)).lower()
            raise AudioRejected("unreadable", reason) from self._error


def patched(start: int, stop: int, patches: dict[int, bytes]) -> tuple[Segment, ...]:
    """`start` to `stop` of a file, with other bytes at some offsets of it."""
    segments: list[Segment] = []
    at = start
    for offset in sorted(patches):
        segments += [(at, offset), patches[offset]]
        at = offset + len(patches[offset])
    return (*segments, (at, stop))


def positions(file: IO[bytes], needle: bytes, start: int, stop: int) -> list[int]:
    """Where a string occurs in `start` to `stop` of a file."""
    hits, at, rest = [], start, b""
    file.seek(start)
    while at < stop and (block := file.read(min(1 << 20, stop - at))):
        data, base = rest + block, at - len(rest)
        place = data.find(needle)
        while place >= 0:
            hits.append(base + place)
            place = data.find(needle, place + 1)
        at += len(block)
        rest = data[-(len(needle) - 1) :]
    return hits


def bytes_at(file: IO[bytes], start: int, length: int) -> bytes:
    """So many bytes of a file, or what there is of them."""
    file.seek(start)
    return file.read(max(0, length))
