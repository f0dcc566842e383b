"""Decoding with libsndfile, and with FFmpeg from where it gives up."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import soundfile

from audiosearch.audio.splice import Source
from audiosearch.audio.stream import BLOCK_SAMPLES, AudioInfo, AudioStream, Block, checked, missing

# libsndfile's names for one and the same container.
_NAMES = {"wavex": "wav"}

# libsndfile gives 2**63 - 1 where it does not know.
_UNKNOWN_FRAMES = 1 << 62


def open_sndfile(source: Source) -> soundfile.SoundFile:
    """Raises `soundfile.LibsndfileError` where it does not know the format."""
    if source.segments is not None:
        return soundfile.SoundFile(source.open())
    # libsndfile takes bytes where the system does, and soundfile refuses surrogates.
    path = os.fsdecode(source.path) if sys.platform == "win32" else source.path
    return soundfile.SoundFile(path)


class SndfileStream(AudioStream):
    """A file that libsndfile reads. `share`: how much of what is declared is there (0 to 1)."""

    def __init__(self, file: soundfile.SoundFile, source: Source, share: float = 1.0) -> None:
        super().__init__()
        self._file, self._source = file, source
        # An mp3 has no length, but for a note that programs which cut it leave as it was.
        frames = None
        if file.format != "MP3" and 0 <= file.frames < _UNKNOWN_FRAMES:
            frames = round(file.frames / share) if 0 < share < 1 else int(file.frames)
        name = file.format.lower()
        self.info = checked(
            AudioInfo(
                file.samplerate,
                file.channels,
                _NAMES.get(name, name),
                file.subtype.lower(),
                frames,
            )
        )

    def pieces(self, start: int = 0) -> Iterator[Block]:
        from audiosearch.audio.ffmpeg import open_ffmpeg

        rate = self.info.sample_rate
        size = max(1, BLOCK_SAMPLES // self.info.channels)
        decoded = start
        if start > 0 and start >= self._file.frames:
            return
        failed: str | None = None
        try:
            self._file.seek(start)
            while len(samples := self._file.read(size, dtype="float32", always_2d=True)):
                decoded += len(samples)
                yield Block(samples, rate)
        except soundfile.LibsndfileError as error:
            failed = error.error_string
        if failed is not None:
            # It gives up where FFmpeg leaves out what is damaged and goes on.
            with open_ffmpeg(self._source, failed) as rest:
                for block in rest.pieces(decoded):
                    decoded += len(block.samples)
                    yield block
        declared = None if self.info.frames is None else self.info.frames / rate
        self.truncated = missing(declared, decoded / rate)
