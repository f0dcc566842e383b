"""What a decoder gives: blocks of samples, each with its own rate and channels, and notices.

Blocks are float32 (frames, channels), full scale at 1, and bounded in size, so that a recording of
ten hours takes no more memory than one of ten seconds. They follow each other without gaps on the
container's clock: where that has a gap, there are blocks of silence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audiosearch.errors import AudioRejected

# Samples in a block, over all channels: 1 MB of float32.
BLOCK_SAMPLES = 1 << 18

# No sound device goes beyond these; a header that does was damaged or made to exhaust memory.
_RATES = range(1_000, 768_001)
_CHANNELS = range(1, 65)

# What is less than this short of the length that the header declares is rounding and encoder delay.
_TRUNCATED_SECONDS = 0.5

# Called at each step of a long work, to say that it goes on.
Alive = Callable[[], None]


@dataclass(frozen=True)
class AudioInfo:
    """What the header says; `frames` is None where it does not say how many."""

    sample_rate: int
    channels: int
    format: str  # the container, in lower case: wav, flac, ogg, mp3, m4a ...
    subtype: str | None  # the encoding: pcm_16, vorbis, aac ...
    frames: int | None


class Block(NamedTuple):
    """`samples` (frames, channels) float32 at `rate` Hz."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate


class AudioStream(ABC):
    """An open file. Final once the blocks ran out: `truncated` says how much of the declared length
    is missing, `notices` where else header and file disagree, and what of the file is not heard."""

    info: AudioInfo

    def __init__(self) -> None:
        self.truncated: str | None = None
        self.notices: list[str] = []

    @abstractmethod
    def pieces(self, start: int = 0) -> Iterator[Block]:
        """Blocks from frame `start` on, counted at the rate of `info`, each as the file has it; to
        be called once."""

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """(frames, channels) float32 blocks from frame `start` on, all at the rate of `info`; to be
        called once. The number of channels may change."""
        return at_one_rate(self.pieces(start), self.info.sample_rate)


def at_one_rate(blocks: Iterable[Block], rate: int) -> Iterator[np.ndarray]:
    """The samples of blocks, those of another rate resampled."""
    from audiosearch.audio.resample import Resampler

    resampler: Resampler | None = None
    for samples, own in blocks:
        channels = samples.shape[1]
        if resampler is not None and resampler.kind != (own, rate, channels):
            yield resampler.flush()
            resampler = None
        if own == rate:
            yield samples
            continue
        if resampler is None:
            resampler = Resampler(own, rate, channels)
        yield resampler.resample(samples)
    if resampler is not None:
        yield resampler.flush()


def skipping(blocks: Iterable[Block], seconds: float) -> Iterator[Block]:
    """Blocks without the first `seconds` of them."""
    left = seconds
    for block in blocks:
        drop = round(left * block.rate) if left > 0 else 0
        if drop >= len(block.samples):
            left -= block.seconds
            continue
        left = 0.0
        yield Block(block.samples[drop:], block.rate) if drop else block


def silence(seconds: float, rate: int, channels: int) -> Iterator[Block]:
    """So much of it, in blocks."""
    frames, size = round(seconds * rate), max(1, BLOCK_SAMPLES // channels)
    while frames > 0:
        yield Block(np.zeros((min(size, frames), channels), np.float32), rate)
        frames -= size


def checked(info: AudioInfo) -> AudioInfo:
    """The same. Raises `AudioRejected` where no sound can have such a rate or so many channels."""
    if info.sample_rate not in _RATES or info.channels not in _CHANNELS:
        raise AudioRejected(
            "refused",
            f"its header declares {info.channels} channels at {info.sample_rate} Hz",
        )
    return info


def missing(declared: float | None, decoded: float) -> str | None:
    """How much of the declared length (s) is not there, in words."""
    if declared is None or declared - decoded < _TRUNCATED_SECONDS:
        return None
    return f"declared {declared:.1f} s, decoded {decoded:.1f} s"


def surplus(declared: float | None, decoded: float) -> str | None:
    """That there is more than the declared length (s), in words."""
    if declared is None or decoded - declared < _TRUNCATED_SECONDS:
        return None
    return f"its header declares {declared:.1f} s, and {decoded:.1f} s are there: all were read"
