"""Decode any sound file, streamed: libsndfile first, FFmpeg (through PyAV) for what it cannot read.

What a header declares is checked before it is believed: see `audiosearch.audio.layout`. Paths may
be bytes: names need not be UTF-8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import soundfile

from audiosearch.audio.chunked import cleaned
from audiosearch.audio.ffmpeg import open_ffmpeg
from audiosearch.audio.layout import Part, mp3_layout, parts_of
from audiosearch.audio.sndfile import SndfileStream, open_sndfile
from audiosearch.audio.splice import Source
from audiosearch.audio.stream import Alive, AudioInfo, AudioStream, Block, skipping
from audiosearch.errors import AudioRejected

AnyPath = bytes | str | Path

__all__ = ["AnyPath", "AudioInfo", "AudioStream", "open_audio"]


def _nothing() -> None:
    pass


@contextmanager
def open_audio(path: AnyPath, alive: Alive = _nothing) -> Iterator[AudioStream]:
    """Open a file for decoding; `alive` is called now and then where that takes long. Raises
    `AudioRejected` with the reason where it is not a sound."""
    raw = os.fsencode(path)
    try:
        size = os.stat(raw).st_size  # noqa: PTH116 (bytes)
        if size == 0:
            raise AudioRejected("empty", "the file has no bytes")
        with open(raw, "rb") as file:  # noqa: PTH123 (bytes)
            parts = parts_of(file, size)
    except OSError as error:
        raise AudioRejected("unreadable", (error.strerror or str(error)).lower()) from error
    with ExitStack() as stack:
        first = stack.enter_context(_open_part(raw, size, parts[0], alive))
        yield first if len(parts) == 1 else _Chained(first, raw, size, parts, alive)


@contextmanager
def _open_part(path: bytes, size: int, part: Part, alive: Alive) -> Iterator[AudioStream]:
    source = Source(path, part.segments)
    with ExitStack() as stack:
        stream: AudioStream
        try:
            file = stack.enter_context(_sndfile(source, part, size))
        except soundfile.LibsndfileError as error:
            opened = stack.enter_context(open_ffmpeg(source, error.error_string, alive))
            opened.claim(share=_share(part))
            stream = opened
        else:
            stream = _of_sndfile(stack, file, source, size, part)
        if part.notice:
            stream.notices.append(part.notice)
        yield stream


def _sndfile(source: Source, part: Part, size: int) -> soundfile.SoundFile:
    """The file as libsndfile opens it. Raises `soundfile.LibsndfileError`."""
    try:
        return open_sndfile(source)
    except soundfile.LibsndfileError:
        with Source(source.path).open() as file:
            segments = cleaned(file, part.start, min(part.stop, size))
        if segments is None:
            raise
        # Another chunk is damaged, or odd, and the sound is not.
        return open_sndfile(Source(source.path, segments))


# What is shorter is a header and no more.
_HEADER = 4_096


def _of_sndfile(
    stack: ExitStack, file: soundfile.SoundFile, source: Source, size: int, part: Part
) -> AudioStream:
    """The stream of a file that libsndfile opened; FFmpeg's where it is likely to hear more."""
    if file.format == "MP3" and source.segments is None:
        with source.open() as opened:
            layout = mp3_layout(opened, size)
        if not layout.exact:
            whole = Source(source.path, layout.segments)
            with _unless_refused():
                stream = stack.enter_context(open_ffmpeg(whole, "", form="mp3"))
                stream.claim(layout.seconds)
                return stream
    elif file.frames == 0 and size > _HEADER and part.declared is None:
        with _unless_refused():
            return stack.enter_context(open_ffmpeg(source, ""))
    return SndfileStream(file, source, _share(part))


def _share(part: Part) -> float:
    """How much is there of what the header declares."""
    if not part.declared or not 0 < part.present < part.declared:
        return 1.0
    return part.present / part.declared


@contextmanager
def _unless_refused() -> Iterator[None]:
    """Go on where FFmpeg does not know what libsndfile knows."""
    try:
        yield
    except AudioRejected as rejected:
        if rejected.kind == "unreadable":
            raise


class _Chained(AudioStream):
    """Several sounds after each other in one file; `info` is the first one's."""

    def __init__(
        self, first: AudioStream, path: bytes, size: int, parts: list[Part], alive: Alive
    ) -> None:
        super().__init__()
        self._first, self._path, self._size = first, path, size
        self._parts, self._alive = parts, alive
        info = first.info
        self.info = AudioInfo(info.sample_rate, info.channels, info.format, info.subtype, None)

    def pieces(self, start: int = 0) -> Iterator[Block]:
        return skipping(self._pieces(), start / self.info.sample_rate)

    def _pieces(self) -> Iterator[Block]:
        heard, lost = 1, 0
        yield from self._first.pieces()
        self._take(self._first)
        for part in self._parts[1:]:
            try:
                with _open_part(self._path, self._size, part, self._alive) as stream:
                    yield from stream.pieces()
                    self._take(stream)
                heard += 1
            except AudioRejected as rejected:
                if rejected.kind == "unreadable":
                    raise
                lost += 1
        self.notices.append(f"it holds {heard} sounds after each other: all were read")
        if lost:
            self.notices.append(f"{lost} more could not be decoded")

    def _take(self, stream: AudioStream) -> None:
        self.notices += [notice for notice in stream.notices if notice not in self.notices]
        self.truncated = stream.truncated or self.truncated
