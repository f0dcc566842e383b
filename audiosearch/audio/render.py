"""A file, or a part of it, as one that every browser plays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from audiosearch.audio.decode import AnyPath, open_audio
from audiosearch.audio.reader import check_range
from audiosearch.errors import AudioRejected, InvalidQuery

# Container and encoding of each. Opus knows no other rates than these.
_KINDS = {"wav": ("WAV", "PCM_16"), "opus": ("OGG", "OPUS")}
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)

# A temporary file of 115 MB as stereo wav at 48 kHz.
LONGEST_SECONDS = 600.0


def render(
    path: AnyPath, target: Path, kind: str, start: float = 0.0, end: float | None = None
) -> None:
    """Write `start` to `end` seconds of a file to `target`, as ``wav`` (16 bit) or ``opus`` (in
    ogg), stereo where it has more than one channel.

    Raises `InvalidQuery` for another kind, a range that is empty or more than `LONGEST_SECONDS`
    long, and `AudioRejected`.
    """
    if kind not in _KINDS:
        raise InvalidQuery(f"sounds are rendered as {' or '.join(_KINDS)}, not {kind}")
    check_range(start, end)
    with open_audio(path) as stream:
        rate = stream.info.sample_rate
        # What is declared is no end: sound may begin late, or go on.
        until = stream.info.frames / rate if end is None and stream.info.frames else end
        if until is not None and until - start > LONGEST_SECONDS:
            raise InvalidQuery(
                f"at most {LONGEST_SECONDS:g} s are rendered at once: give a shorter range"
            )
        left = round((LONGEST_SECONDS if end is None else end - start) * rate)
        channels = min(2, stream.info.channels)
        resampler = None
        if kind == "opus" and rate not in _OPUS_RATES:
            import soxr

            resampler, written_rate = soxr.ResampleStream(rate, 48_000, channels), 48_000
        else:
            written_rate = rate
        container, encoding = _KINDS[kind]
        written = 0
        with soundfile.SoundFile(
            target,
            "w",
            written_rate,
            channels,
            encoding,
            format=container,
        ) as file:
            for block in stream.blocks(round(start * rate)):
                part = _as(_stereo(block[:left]), channels)
                left -= len(part)
                written += len(part)
                file.write(part if resampler is None else resampler.resample_chunk(part))
                if not left:
                    break
            if resampler is not None and written:
                flush = np.empty((0, channels), np.float32)
                file.write(resampler.resample_chunk(flush, last=True))
    if not written:
        raise AudioRejected("empty", f"it holds no samples from {start:g} s on")


def _as(block: np.ndarray, channels: int) -> np.ndarray:
    """A block of one or two channels with so many: streams change theirs midway."""
    if block.shape[1] == channels:
        return block
    return block.mean(axis=1, keepdims=True) if channels == 1 else block.repeat(2, axis=1)


def _stereo(block: np.ndarray) -> np.ndarray:
    """One or two channels of it: of more, odd ones to the left, even ones to the right."""
    whole = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
    if block.shape[1] > 2:
        whole = np.stack([whole[:, 0::2].mean(axis=1), whole[:, 1::2].mean(axis=1)], axis=1)
    clipped: np.ndarray = np.clip(whole, -1.0, 1.0)
    return clipped
