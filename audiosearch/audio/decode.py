"""Decode any sound file, streamed: libsndfile first, FFmpeg (through PyAV) for what it cannot read.

Blocks are float32 (frames, channels), full scale at 1, and bounded in size, so that a recording of
ten hours takes no more memory than one of ten seconds. Paths may be bytes: names need not be UTF-8.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import soundfile

from audiosearch.errors import AudioRejected

if TYPE_CHECKING:
    from av.audio.stream import AudioStream as AvStream
    from av.container import InputContainer

AnyPath = bytes | str | Path

# Samples in a block, over all channels: 1 MB of float32.
_BLOCK_SAMPLES = 1 << 18

# No sound device goes beyond these; a header that does was damaged or made to exhaust memory.
_RATES = range(1_000, 768_001)
_CHANNELS = range(1, 65)

# What is less than this short of the length that the header declares is rounding and encoder delay.
_TRUNCATED_SECONDS = 0.5

# FFmpeg would open the files that these name. A playlist is not a sound.
_INDIRECT = ("concat", "dash", "hls", "imf", "sdp", "rtsp", "image2", "tty", "webm_dash_manifest")


@dataclass(frozen=True)
class AudioInfo:
    """What the header says; `frames` is None where it does not say how many."""

    sample_rate: int
    channels: int
    format: str  # the container, in lower case: wav, flac, ogg, mp3, m4a ...
    subtype: str | None  # the encoding: pcm_16, vorbis, aac ...
    frames: int | None


class AudioStream(Protocol):
    """An open file. `truncated` is set once the blocks ran out before the declared length."""

    info: AudioInfo
    truncated: str | None

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """(frames, channels) float32 blocks from frame `start` on; to be called once."""


@contextmanager
def open_audio(path: AnyPath) -> Iterator[AudioStream]:
    """Open a file for decoding. Raises `AudioRejected` with the reason where it is not a sound."""
    raw = os.fsencode(path)
    try:
        if os.stat(raw).st_size == 0:  # noqa: PTH116 (bytes)
            raise AudioRejected("empty", "the file has no bytes")
        with open(raw, "rb"):  # noqa: PTH123 (bytes)
            pass
    except OSError as error:
        raise AudioRejected("unreadable", (error.strerror or str(error)).lower()) from error
    try:
        # libsndfile takes bytes where the system does, and soundfile refuses surrogates.
        file = soundfile.SoundFile(os.fsdecode(raw) if sys.platform == "win32" else raw)
    except soundfile.LibsndfileError as error:
        with _open_ffmpeg(raw, error.error_string) as stream:
            yield stream
        return
    with file:
        yield _Sndfile(file, raw)


def _checked(info: AudioInfo) -> AudioInfo:
    if info.sample_rate not in _RATES or info.channels not in _CHANNELS:
        raise AudioRejected(
            "refused",
            f"its header declares {info.channels} channels at {info.sample_rate} Hz",
        )
    return info


def _missing(info: AudioInfo, decoded: int) -> str | None:
    if info.frames is None:
        return None
    if info.frames - decoded < _TRUNCATED_SECONDS * info.sample_rate:
        return None
    declared, found = info.frames / info.sample_rate, decoded / info.sample_rate
    return f"declared {declared:.1f} s, decoded {found:.1f} s"


# libsndfile puts right the length of a chunk that the file is too short for, and says so in its log.
_CORRECTED = re.compile(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)$", re.MULTILINE)

# A program that cannot go back to the header leaves one of these there, or something close.
_STREAMED = range(0x7FFF_0000, 1 << 64)


def _declared(file: soundfile.SoundFile) -> int | None:
    """How many frames the header promises."""
    # libsndfile gives 2**63 - 1 where it does not know. An mp3 has no length, but for a note that
    # programs which cut it leave as it was.
    if file.format == "MP3" or not 0 <= file.frames < 1 << 62:
        return None
    corrected = _CORRECTED.search(file.extra_info)
    if corrected:
        promised, found = map(int, corrected.groups())
        if promised not in _STREAMED and promised > found > 0:
            return round(int(file.frames) * promised / found)
    return int(file.frames)


class _Sndfile:
    """A file that libsndfile reads."""

    def __init__(self, file: soundfile.SoundFile, path: bytes) -> None:
        self._file, self._path = file, path
        names = file.format.lower(), file.subtype.lower()
        self.info = _checked(AudioInfo(file.samplerate, file.channels, *names, _declared(file)))
        self.truncated: str | None = None

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        size = max(1, _BLOCK_SAMPLES // self.info.channels)
        decoded = start
        if start >= self._file.frames:
            return
        try:
            self._file.seek(start)
            while True:
                block = self._file.read(size, dtype="float32", always_2d=True)
                if not len(block):
                    break
                decoded += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            # It gives up where FFmpeg leaves out what is damaged and goes on.
            with _open_ffmpeg(self._path, error.error_string) as rest:
                for block in rest.blocks(decoded):
                    decoded += len(block)
                    yield block
        self.truncated = _missing(self.info, decoded)


@contextmanager
def _open_ffmpeg(path: bytes, refused: str) -> Iterator[AudioStream]:
    import av
    import av.logging

    av.logging.set_level(None)
    with open(path, "rb") as file:  # noqa: PTH123 (bytes)
        try:
            # By file object, and without protocols: FFmpeg can reach this file and no other.
            container = av.open(file, "r", options={"protocol_whitelist": "none"})
        except (av.FFmpegError, OSError, ValueError) as error:
            # OSError: a header that sends the reader to before the start of the file.
            raise AudioRejected("undecodable", _sentence(refused)) from error
        with container:
            names = container.format.name.split(",")
            if not container.streams.audio or any(name in _INDIRECT for name in names):
                raise AudioRejected("undecodable", f"no sound in it ({container.format.long_name})")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise AudioRejected("undecodable", "FFmpeg has no decoder for it")
            yield _Ffmpeg(container, stream, path)


class _Ffmpeg:
    """The first audio stream of a file that FFmpeg reads."""

    def __init__(self, container: InputContainer, stream: AvStream, path: bytes) -> None:
        self._container, self._stream = container, stream
        context = stream.codec_context
        seconds = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / 1_000_000
        frames = None if seconds is None else round(seconds * context.sample_rate)
        self.info = _checked(
            AudioInfo(
                context.sample_rate,
                context.channels,
                _container_name(container.format.name.split(","), path),
                context.name,
                frames,
            )
        )
        self.truncated: str | None = None

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        from av.audio.resampler import AudioResampler

        # Only the sample format changes, to planar float32.
        converter = AudioResampler(format="fltp")
        size = max(1, _BLOCK_SAMPLES // self.info.channels)
        # Decoded and dropped up to `start`: seeking by the index of a container is not exact.
        position, waiting, pieces = 0, 0, []
        for frame in self._frames():
            for converted in converter.resample(frame):
                piece = converted.to_ndarray().T
                position += len(piece)
                if position <= start:
                    continue
                piece = piece[max(0, len(piece) - (position - start)) :]
                pieces.append(piece)
                waiting += len(piece)
            if waiting >= size:
                yield np.concatenate(pieces)
                waiting, pieces = 0, []
        if pieces:
            yield np.concatenate(pieces)
        if not position:
            raise AudioRejected("undecodable", "no part of its sound could be decoded")
        self.truncated = _missing(self.info, position)

    def _frames(self) -> Iterator[object]:
        """Decoded frames; damaged packets are left out, and a damaged container ends the stream."""
        import av

        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    continue
        except (av.FFmpegError, OSError):
            return


def _container_name(names: list[str], path: bytes) -> str:
    """One name of a container that FFmpeg knows by several (``mov,mp4,m4a,3gp,3g2,mj2``): the one
    that the file goes by, else the first."""
    suffix = os.path.splitext(path)[1][1:].lower().decode("ascii", "replace")  # noqa: PTH122
    known = {"asf": "wma", "matroska": "mkv"}
    return suffix if suffix in names else known.get(names[0], names[0])


def _sentence(message: str) -> str:
    """A decoder's message, as part of ours."""
    message = message.strip().rstrip(".")
    return message[:1].lower() + message[1:] if message else "not a sound file"
