"""Sounds in containers, made to be spoilt: tones whose order in time can be told afterwards."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audiosearch.audio.decode import open_audio

RATE = 24_000

CASES = Path(__file__).parents[3] / "shared" / "cases"


def shared_case(name: str) -> Path:
    """A reported file; skips the test where they are not at hand."""
    if not CASES.is_dir():
        pytest.skip("needs ../shared/cases")
    return CASES / name


def tone(hertz: float, seconds: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """(frames, channels) float32."""
    wave = 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def noise(seconds: float, rate: int = RATE) -> np.ndarray:
    """(frames, 1) float32: what does not compress."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.1, (round(seconds * rate), 1)).astype(np.float32)


def encoded(samples: np.ndarray, form: str, subtype: str, rate: int = RATE) -> bytes:
    """The bytes of a file that libsndfile writes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def muxed(
    tracks: list[tuple[np.ndarray, int]],
    form: str,
    codec: str,
    *,
    late: float = 0.0,
    gaps: tuple[tuple[float, float], ...] = (),
    video: float = 0.0,
) -> bytes:
    """The bytes of a file that FFmpeg writes. Tracks are samples and rate; they begin `late`
    seconds after the video, which lasts `video` seconds; `gaps` are (where, how long) in their
    time."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        packets = []
        if video:
            codec_of = {"flv": "flv1", "mxf": "mpeg2video"}
            screen = container.add_stream(codec_of.get(form, "mpeg4"), rate=25)
            screen.width = screen.height = 32
            screen.pix_fmt = "yuv420p"
        streams = []
        for samples, rate in tracks:
            layout = "stereo" if samples.shape[1] == 2 else "mono"
            streams.append(container.add_stream(codec, rate=rate, layout=layout))
        if video:
            for _ in range(round(25 * video)):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                packets += screen.encode(picture)
            packets += screen.encode(None)
        for stream, (samples, rate) in zip(streams, tracks, strict=True):
            packets += _packets(stream, samples, rate, late, gaps)
        packets.sort(key=lambda packet: float((packet.dts or 0) * packet.time_base))
        for packet in packets:
            container.mux(packet)
    return buffer.getvalue()


def _packets(stream, samples, rate, late, gaps):
    context = stream.codec_context
    context.open()
    size = context.frame_size or 1_024
    resampler = av.AudioResampler(context.format, context.layout, rate, size)
    found, begun, shift = [], 0, late
    for start in range(0, len(samples), size):
        part = np.ascontiguousarray(samples[start : start + size].T)
        frame = av.AudioFrame.from_ndarray(part, "fltp", context.layout.name)
        frame.sample_rate, frame.pts = rate, None
        for piece in resampler.resample(frame):
            shift = late + sum(long for where, long in gaps if begun / rate >= where)
            piece.pts, piece.time_base = begun + round(shift * rate), context.time_base
            begun += piece.samples
            found += stream.encode(piece)
    for piece in resampler.resample(None):
        piece.pts, piece.time_base = begun + round(shift * rate), context.time_base
        found += stream.encode(piece)
    return found + stream.encode(None)


def heard(path: Path, start: float = 0.0) -> tuple[float, list[tuple[float, float]], list[str]]:
    """Seconds, what tones sound when (the loudest of each quarter of a second: second and hertz,
    none in silence; changes only), and notices with the truncation."""
    with open_audio(path) as stream:
        rate = stream.info.sample_rate
        blocks = [block.mean(axis=1) for block in stream.blocks(round(start * rate))]
        notices = [*stream.notices, *([stream.truncated] if stream.truncated else [])]
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    size = rate // 4
    tones: list[tuple[float, float]] = []
    for at in range(0, len(samples) - size + 1, size):
        part = samples[at : at + size]
        power = np.abs(np.fft.rfft(part * np.hanning(size)))
        hertz = round(float(power.argmax()) * 4, -2) if np.abs(part).max() > 1e-3 else 0.0
        if not tones or tones[-1][1] != hertz:
            tones.append((at / rate, hertz))
    return len(samples) / rate, tones, notices
