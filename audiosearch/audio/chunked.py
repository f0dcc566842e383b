"""Containers that are chunks after each other, one of which holds the sound: RIFF and its 64-bit
kin, IFF (AIFF, 8SVX), CAF, W64, and AU.

The size that the chunk of the sound declares is checked against what is there. A recorder that
loses power leaves 0 behind, one that passes 4 GiB the size modulo 2^32, a pipe all ones. Bytes
that parse as chunks or tags are not sound; what is left over and is neither is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from audiosearch.audio.grammar import (
    AIFF,
    CAF,
    GUID,
    RIFF,
    Grammar,
    grammar_of,
    is_name,
    is_own_name,
)
from audiosearch.audio.part import CRUMBS, Part, as_rf64, au_part
from audiosearch.audio.splice import Segment, bytes_at, patched

_MOST_CHUNKS = 10_000
_UNKNOWN = "its header does not say how long it is: it was read to its end"
# How far before the end chunks are looked for that follow a sound of unknown length.
_TAIL = 8 << 20
_LARGEST_ZEROS = _LARGEST_HEADER = 1 << 16


def part_at(file: IO[bytes], start: int, size: int) -> Part | None:
    """The sound that begins at `start` of a file of `size` bytes; `None` where no chunk of it
    holds sound."""
    head = bytes_at(file, start, 16)
    if head[:4] in (b".snd", b"dns."):
        return au_part(file, start, size)
    grammar = grammar_of(head)
    return _Walk(file, grammar, start, size, head).part() if grammar else None


def chunks_around(file: IO[bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of each chunk before and after the sound of a file of `size` bytes; of
    the first sound, where it holds several. Nothing of other files."""
    head = bytes_at(file, 0, 16)
    grammar = grammar_of(head)
    if grammar is not None:
        walk = _Walk(file, grammar, 0, size, head)
        part = walk.part()
        yield from walk.before
        if part is not None:
            yield from walk.after(part.stop)


def cleaned(file: IO[bytes], start: int, size: int) -> tuple[Segment, ...] | None:
    """Header and sound alone of the sound that begins at `start`, for decoders that trip over what
    else is there; `None` where no chunk of it holds sound."""
    head = bytes_at(file, start, 16)
    grammar = grammar_of(head)
    if grammar is None:
        return None
    walk = _Walk(file, grammar, start, size, head)
    return walk.cleaned() if walk.part() is not None else None


class _Walk:
    """The chunks of one container. Once `part` was called, `before` are the chunks before its
    sound."""

    def __init__(
        self, file: IO[bytes], grammar: Grammar, start: int, limit: int, head: bytes
    ) -> None:
        self._file, self._grammar = file, grammar
        self._start, self._limit, self._magic = start, limit, head[:4]
        self._chunks: dict[bytes, tuple[int, int]] = {}  # before the sound: place and size
        self.before: list[tuple[bytes, int, int]] = []
        self._content, self._end = 0, limit  # of the sound
        self._sizes64: tuple[int, int] | None = None  # of a ds64: whole, sound

    def part(self) -> Part | None:
        at = self._start + self._grammar.first
        for _ in range(_MOST_CHUNKS):
            chunk = self._chunk(at)
            if chunk is None:
                return None
            name, content, size = chunk
            if name == self._grammar.body:
                return self._sound(at, content, size)
            self._chunks.setdefault(name, (content, size))
            self.before.append(chunk)
            if name == b"ds64":
                data = bytes_at(self._file, content, 16)
                if len(data) == 16:
                    whole, sound = struct.unpack("<QQ", data)
                    self._sizes64 = whole, sound
            at = self._following(content, size)
        return None

    def _following(self, content: int, size: int) -> int:
        """Where the next chunk begins, before the sound."""
        aligned, end = self._next(content, size), content + size
        bodies = (at for at in (aligned, end) if self._is_body(at))
        return next(bodies, self._chunk_after(end, size) or aligned)

    def after(self, stop: int) -> Iterator[tuple[bytes, int, int]]:
        """The chunks between the sound and `stop`."""
        end, size = self._end, self._end - self._content
        for _ in range(_MOST_CHUNKS):
            at = self._chunk_after(end, size)
            chunk = None if at is None or at >= stop or self._is_tag(at) else self._chunk(at)
            if chunk is None:
                return
            yield chunk
            end, size = chunk[1] + chunk[2], chunk[2]

    def _is_body(self, at: int) -> bool:
        chunk = self._chunk(at)
        return chunk is not None and chunk[0] == self._grammar.body

    def _chunk(self, at: int) -> tuple[bytes, int, int] | None:
        """Name, place of the content and its size."""
        grammar = self._grammar
        head = bytes_at(self._file, at, grammar.head)
        if len(head) < grammar.head or at >= self._limit:
            return None
        size = struct.unpack(grammar.order, head[grammar.name_length :])[0]
        if grammar.counts_head:
            size = max(0, size - grammar.head)
        return head[: grammar.name_length], at + grammar.head, size

    def _next(self, content: int, size: int) -> int:
        return content + size + -size % self._grammar.align

    def _sound(self, at: int, content: int, size: int) -> Part:
        grammar, limit = self._grammar, self._limit
        self._content = content
        unknown = size in grammar.unknown
        if self._sizes64 and size == 0xFFFF_FFFF:
            size, unknown = self._sizes64[1], self._sizes64[1] in range(1 << 62, 1 << 64)
        present = limit - content - grammar.prefix
        declared = max(0, size - grammar.prefix)
        if not unknown and content + size <= limit:
            stop = self._chain(content + size, size)
            if stop is not None:
                self._end = content + size
                return Part(stop, self._alone(stop), declared, declared)
            end = self._sound_end(content + size)
        else:
            end = self._sound_end(content + grammar.prefix)
            if end == limit and not unknown:  # it really is cut
                return Part(limit, self._alone(limit), declared, max(0, present))
            if end == limit and limit - self._start < 0xFFFF_0000:
                notice = None if grammar.may_be_open else _UNKNOWN
                return Part(limit, self._alone(limit), None, present, notice)
        self._end = end
        length = end - content
        notice = _UNKNOWN
        if not unknown:
            notice = (
                f"its header declares {declared:,} bytes of sound, and {length - grammar.prefix:,} "
                "are there: all were read"
            )
        segments = self._repaired(at, content, length)
        return Part(limit, segments, None, length - grammar.prefix, notice)

    def _alone(self, stop: int) -> tuple[Segment, ...] | None:
        """This sound without others in the file."""
        return None if self._start == 0 and stop == self._limit else ((self._start, stop),)

    # -- what follows the sound ---------------------------------------------------------------

    def _chain(self, end: int, size: int) -> int | None:
        """Where the chunks and tags after the sound end: at the limit, or where another sound
        begins; `None` where what follows is neither."""
        at = self._chunk_after(end, size)
        if at is None and self._limit - end < CRUMBS:
            return self._limit
        for _ in range(_MOST_CHUNKS):
            if at is None:
                break
            if grammar_of(bytes_at(self._file, at, 16)):
                return at
            chunk = None if self._is_tag(at) else self._chunk(at)
            if chunk is None:
                return self._limit
            end = chunk[1] + chunk[2]
            at = self._chunk_after(end, chunk[2])
        return self._limit if self._is_padding(end) else None

    def _chunk_after(self, end: int, size: int) -> int | None:
        """Where the next chunk begins. One of an odd length without its padding byte is
        frequent."""
        return next((at for at in (self._next(end - size, size), end) if self._is_chunk(at)), None)

    def _is_padding(self, at: int) -> bool:
        rest = self._limit - at
        return rest < _LARGEST_ZEROS and not any(bytes_at(self._file, at, rest))

    def _is_chunk(self, at: int) -> bool:
        """Whether a chunk, a tag, another sound or the end is here."""
        grammar, limit = self._grammar, self._limit
        if at >= limit or self._is_tag(at) or grammar_of(bytes_at(self._file, at, 16)):
            return True
        chunk = self._chunk(at)
        if chunk is None:
            return False
        name, content, size = chunk
        if is_own_name(name, grammar):
            return True
        # Samples may look like a name of four letters; they do not end where the file does.
        return is_name(name) and limit <= self._next(content, size) <= limit + 1

    def _is_tag(self, at: int) -> bool:
        head = bytes_at(self._file, at, 11)
        return (
            (head[:3] == b"TAG" and self._limit - at == 128)
            or (head[:3] == b"ID3" and head[3:4] in (b"\2", b"\3", b"\4"))
            or head[:8] == b"APETAGEX"
            or head == b"LYRICSBEGIN"
        )

    def _sound_end(self, start: int) -> int:
        """Where a sound of unknown length ends: before the chunks that reach exactly to the end of
        the file, else there."""
        grammar, limit = self._grammar, self._limit
        begin = max(start, limit - _TAIL)
        tail = bytes_at(self._file, begin, limit - begin)
        names = grammar.known or {GUID}
        shift = 4 if grammar.name_length == 16 else 0
        hits = []
        for name in names:
            place = tail.find(name)
            while place >= 0:
                hits.append(begin + place - shift)
                place = tail.find(name, place + 1)
        for at in sorted(hits):
            if at >= start and self._reaches_end(at):
                return at
        if tail[-128:-125] == b"TAG" and limit - 128 >= start:
            return limit - 128
        return limit

    def _reaches_end(self, at: int) -> bool:
        for _ in range(_MOST_CHUNKS):
            chunk = self._chunk(at)
            if chunk is None or not (is_name(chunk[0]) or is_own_name(chunk[0], self._grammar)):
                return self._is_tag(at) if at < self._limit else False
            _, content, size = chunk
            end = content + size
            if end in (self._limit, self._limit - 1) or self._next(content, size) == self._limit:
                return True
            if end > self._limit:
                return False
            following = self._next(content, size)
            at = following if self._is_chunk(following) else end
            if self._is_tag(at):
                return True
        return False

    # -- the same file with the right numbers -------------------------------------------------

    def _repaired(self, at: int, content: int, length: int) -> tuple[Segment, ...]:
        grammar, start, limit = self._grammar, self._start, self._limit
        if grammar is RIFF and (limit - start >= 1 << 32 or self._magic != b"RIFF"):
            return as_rf64(self._file, self._chunks, content, length)
        patches = {}
        if grammar.counts_head:
            patches[start + 16] = struct.pack("<Q", limit - start)
            patches[at + 16] = struct.pack("<Q", length + grammar.head)
        elif grammar is CAF:
            patches[at + 4] = struct.pack(">Q", length)
        else:
            order = grammar.order
            patches[start + 4] = struct.pack(order, min(limit - start - 8, 0xFFFF_FFFF))
            patches[at + 4] = struct.pack(order, min(length, 0xFFFF_FFFF))
            if grammar is AIFF and b"COMM" in self._chunks:
                place = self._chunks[b"COMM"][0]
                channels, _, bits = struct.unpack(">hIh", bytes_at(self._file, place, 8))
                width = max(1, channels) * max(1, (bits + 7) // 8)
                frames = (length - grammar.prefix) // width
                patches[place + 2] = struct.pack(">I", min(frames, 0xFFFF_FFFF))
        return patched(start, limit, patches)

    def cleaned(self) -> tuple[Segment, ...]:
        """Header and sound alone, once `part` was called."""
        grammar, length = self._grammar, self._end - self._content
        if grammar is RIFF:
            return as_rf64(self._file, self._chunks, self._content, length)
        head = bytes_at(self._file, self._start, grammar.first)
        for name, content, size in self.before:
            if name in grammar.needed and size < _LARGEST_HEADER:
                chunk = bytes_at(self._file, content - grammar.head, grammar.head + size)
                head += chunk + bytes(-size % grammar.align)
        size = length + (grammar.head if grammar.counts_head else 0)
        name = bytes_at(self._file, self._content - grammar.head, grammar.name_length)
        if grammar.order == ">I":
            whole = len(head) + length
            head = head[:4] + struct.pack(">I", min(whole, 0xFFFF_FFFF)) + head[8:]
            size = min(size, 0xFFFF_FFFF)
        head += name + struct.pack(grammar.order, size)
        return (head, (self._content, self._end))
