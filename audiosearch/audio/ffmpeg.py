"""Decoding with FFmpeg, through PyAV, of what libsndfile cannot read.

Each frame is taken with its own rate and channels: streams change them midway. Where the container
keeps time, its clock counts, from the start of whatever begins first in it: sound that begins late
has silence before it, a gap is silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.clock import LONGEST_GAP, Clock
from audiosearch.audio.splice import NotingFile, Source
from audiosearch.audio.stream import (
    BLOCK_SAMPLES,
    Alive,
    AudioInfo,
    AudioStream,
    Block,
    checked,
    missing,
    silence,
    skipping,
    surplus,
)
from audiosearch.audio.windows import SILENCE
from audiosearch.errors import AudioRejected

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream as AvStream
    from av.container import InputContainer

# FFmpeg would open the files that these name. A playlist is not a sound.
_INDIRECT = ("concat", "dash", "hls", "imf", "sdp", "rtsp", "image2", "tty", "webm_dash_manifest")

# Containers with times of their own; those of the others FFmpeg makes up from sizes.
_CLOCKED = {"mov", "matroska", "mpegts", "mpeg", "asf", "flv", "mxf", "nut", "rm", "ogg", "avi"}

# Containers whose header says how long each stream is, and not only FFmpeg's estimate.
_DECLARING = {"mov", "wav", "w64", "aiff", "caf", "ape", "tta", "wv", "tak", "dsf", "iff"}

# Of these it says when each stream, or the only one, ends.
_CONTAINER_ENDS = {"matroska", "asf"}

# Decoders that go by the name that libsndfile has for what they decode.
_CODECS = {"mp3float": "mpeg_layer_iii", "mp3": "mpeg_layer_iii"}


@contextmanager
def open_ffmpeg(
    source: Source, refused: str, alive: Alive = lambda: None, *, form: str | None = None
) -> Iterator[FfmpegStream]:
    """Open a file, or as much of it as `source` says, as FFmpeg's `form` if that is known. Raises
    `AudioRejected` with what libsndfile said of it, `refused`."""
    with _container(source, refused, form) as (container, file):
        streams = [s for s in container.streams.audio if s.codec_context is not None]
        if not streams:
            raise AudioRejected("undecodable", "FFmpeg has no decoder for it")
        tracks, total = _by_default(streams), len(container.streams.audio)
        chosen = tracks[0]
        if len(tracks) > 1:
            sounding = (i for i in tracks if _sounds(source, refused, i, alive, form))
            chosen = next(sounding, chosen)
        stream = FfmpegStream(container, container.streams[chosen], file, source.path)
        if total > 1:
            number = [s.index for s in container.streams.audio].index(chosen) + 1
            silent = "" if chosen == tracks[0] else ", the first that is not silent"
            stream.notices.append(f"it has {total} tracks: track {number} is heard{silent}")
        yield stream


def _by_default(streams: list[AvStream]) -> list[int]:
    """Their indexes, those that the file marks as its default first."""
    return [s.index for s in sorted(streams, key=lambda s: not int(s.disposition) & 1)]


def _sounds(source: Source, refused: str, index: int, alive: Alive, form: str | None) -> bool:
    """Whether any channel of a track is louder than silence."""
    with _container(source, refused, form) as (container, file):
        try:
            track = FfmpegStream(container, container.streams[index], file, source.path)
            for block in track.pieces():
                alive()
                if np.abs(block.samples).max(initial=0.0) >= SILENCE:
                    return True
        except AudioRejected as rejected:
            if rejected.kind == "unreadable":
                raise
    return False


@contextmanager
def _container(
    source: Source, refused: str, form: str | None
) -> Iterator[tuple[InputContainer, NotingFile]]:
    import av
    import av.logging

    av.logging.set_level(None)
    with source.open() as opened:
        file = NotingFile(opened)
        try:
            # By file object, and without protocols: FFmpeg can reach this file and no other.
            container = av.open(file, "r", form, options={"protocol_whitelist": "none"})
        except (av.FFmpegError, OSError, ValueError) as error:
            # OSError: a header that sends the reader to before the start of the file.
            file.check()
            raise AudioRejected("undecodable", _sentence(refused)) from error
        with container:
            names = container.format.name.split(",")
            if not container.streams.audio or any(name in _INDIRECT for name in names):
                raise AudioRejected("undecodable", f"no sound in it ({container.format.long_name})")
            yield container, file


class FfmpegStream(AudioStream):
    """One audio stream of a container."""

    def __init__(
        self, container: InputContainer, stream: AvStream, file: NotingFile, path: bytes
    ) -> None:
        super().__init__()
        self._container, self._stream, self._file = container, stream, file
        self._claimed: float | None = None
        self._share = 1.0
        context = stream.codec_context
        self._names = container.format.name.split(",")
        self._declared = self._declared_seconds()
        rate = context.sample_rate
        self.info = checked(
            AudioInfo(
                rate,
                context.channels,
                _container_name(self._names, path),
                _CODECS.get(context.name, context.name),
                None if self._declared is None else round(self._declared * rate),
            )
        )

    def claim(self, seconds: float | None = None, share: float = 1.0) -> None:
        """What the file says of its length that FFmpeg does not tell: seconds, or how much of what
        it declares is there (0 to 1)."""
        self._claimed, self._share = seconds, share

    def _declared_seconds(self) -> float | None:
        """What the header promises; FFmpeg's estimates and the length of a video do not count."""
        stream, name = self._stream, self._names[0]
        if name in _DECLARING and stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if name in _CONTAINER_ENDS:
            tagged = _clock_time(stream.metadata.get("DURATION", ""))
            if tagged is not None:
                return tagged
            if len(self._container.streams) == 1 and self._container.duration is not None:
                return float(self._container.duration / 1_000_000)
        return None

    def pieces(self, start: int = 0) -> Iterator[Block]:
        # Decoded and dropped up to `start`: seeking by the index of a container is not exact.
        return skipping(self._pieces(), start / self.info.sample_rate)

    def _pieces(self) -> Iterator[Block]:
        clock = Clock(*self._beginnings())
        joined = _Joined()
        decoded = False
        for frame in self._frames():
            block = joined.converted(frame)
            if block is None:
                continue
            decoded = True
            gap = clock.gap_before(frame.time) if self._names[0] in _CLOCKED else 0.0
            if gap:
                yield from joined.rest()
                yield from silence(gap, block.rate, block.samples.shape[1])
            yield from joined.add(block)
            clock.position += block.seconds
        yield from joined.rest()
        self._file.check()
        if not decoded:
            raise AudioRejected("undecodable", "no part of its sound could be decoded")
        if clock.jumps:
            self.notices.append(
                f"its clock jumps {clock.jumps} times by more than {LONGEST_GAP / 3600:.0f} hours: "
                "that is not counted"
            )
        heard = clock.position - clock.lead
        declared = self._declared if self._claimed is None else self._claimed
        # Matroska's count from the start of the container, the others' from that of the stream.
        ended = clock.position if self._names[0] in _CONTAINER_ENDS else heard
        self.truncated = missing(declared, ended) or missing(heard / self._share, heard)
        more = surplus(self._claimed, heard)
        self.notices += [more] if more else []

    def _beginnings(self) -> tuple[float | None, float | None]:
        """When the container begins and when this stream does, on its clock in seconds."""
        zero, own = self._container.start_time, self._stream.start_time
        base = self._stream.time_base
        return (
            None if zero is None else zero / 1_000_000,
            None if own is None or base is None else float(own * base),
        )

    def _frames(self) -> Iterator[AudioFrame]:
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


class _Joined:
    """Frames of a few milliseconds, joined to blocks as long as rate and channels stay."""

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._waiting = 0
        self._kind = (0, 0)
        self._converter: AudioResampler | None = None
        self._format: tuple[object, ...] = ()

    def converted(self, frame: AudioFrame) -> Block | None:
        """The frame as a block, with its own rate and channels."""
        from av.audio.resampler import AudioResampler

        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._converter is None or kind != self._format:
            # Only the sample format changes, to planar float32.
            self._converter, self._format = AudioResampler(format="fltp"), kind
        parts = [part.to_ndarray().T for part in self._converter.resample(frame)]
        if not parts:
            return None
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        rate = frame.sample_rate
        checked(AudioInfo(rate, samples.shape[1], "", None, None))
        return Block(samples, rate) if len(samples) else None

    def add(self, block: Block) -> Iterator[Block]:
        """What is full, and what has other parameters than `block`."""
        kind = block.rate, block.samples.shape[1]
        if kind != self._kind:
            yield from self.rest()
            self._kind = kind
        self._pieces.append(block.samples)
        self._waiting += block.samples.size
        if self._waiting >= BLOCK_SAMPLES:
            yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """All that waits."""
        if self._pieces:
            yield Block(np.concatenate(self._pieces), self._kind[0])
        self._pieces, self._waiting = [], 0


def _clock_time(text: str) -> float | None:
    """Seconds of ``00:01:02.500000000``."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


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
