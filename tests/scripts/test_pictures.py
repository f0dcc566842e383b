"""The pictures of the documentation: fewer colours, and the same picture."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np


def _png(pixels: Any) -> bytes:
    """Pixels (height, width, 3) as PNG of true colours."""
    encoder: Any = av.CodecContext.create("png", "w")
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _pixels(png: bytes) -> tuple[str, Any]:
    with av.open(io.BytesIO(png)) as container:
        frame = next(container.decode(video=0))
        return frame.format.name, frame.to_ndarray(format="rgb24")


def test_a_picture_of_few_colours_stays_as_it_is() -> None:
    from scripts.docs.pictures import of_256_colours

    colours = np.random.default_rng(1).integers(0, 256, (200, 3), dtype=np.uint8)
    pixels = colours[np.random.default_rng(2).integers(0, 200, (64, 96))]
    name, shown = _pixels(of_256_colours(_png(pixels)))
    assert name == "pal8"
    assert np.abs(shown.astype(int) - pixels).max() <= 1  # rounding


def test_many_colours_become_near_ones() -> None:
    from scripts.docs.pictures import of_256_colours

    across, down = np.meshgrid(np.arange(256), np.arange(128))
    pixels = np.stack([across, 2 * down, 255 - across], axis=2).astype(np.uint8)
    name, shown = _pixels(of_256_colours(_png(pixels)))
    assert name == "pal8"
    assert np.abs(shown.astype(int) - pixels).mean() < 8
