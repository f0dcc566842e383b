"""Vectors as bytes: little-endian float16, the form in which the database holds them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

STORED = np.dtype("<f2")

# Rounding to float16 moves the length of a unit vector by less than this.
UNIT_TOLERANCE = 2e-3


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scaled to unit length along the last axis, float32. A zero vector stays zero."""
    wide = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1)


def to_blob(vector: np.ndarray) -> bytes:
    """(d,) float -> its stored bytes. A vector with NaN or infinity is refused: it would poison
    every search.
    """
    if not np.isfinite(vector).all():
        raise ValueError("a vector with NaN or infinite values cannot be stored")
    return np.asarray(vector, dtype=STORED).tobytes()


def checksum(vectors: Iterable[bytes], mean: bytes) -> int:
    """CRC-32 over the stored vectors of an embedding, in order, and its mean."""
    value = 0
    for blob in vectors:
        value = zlib.crc32(blob, value)
    return zlib.crc32(mean, value)


def from_blobs(blobs: Iterable[bytes], dimension: int) -> np.ndarray:
    """Stored vectors -> (n, dimension) float32."""
    joined = np.frombuffer(b"".join(blobs), dtype=STORED)
    return joined.reshape(-1, dimension).astype(np.float32)


def exact_scores(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosines of (n, d) with (d,) as float32.

    Summed in float64 and rounded once: a score then does not depend on how many others were
    computed with it, and two searches that find the same window by different ways agree on it to
    the last bit.
    """
    return (vectors.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
