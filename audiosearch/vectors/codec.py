"""Vectors as bytes: little-endian float16 and their CRC-32, the form in which the database holds
them. Whoever reads a vector learns whether it is the one that was written.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from audiosearch.errors import LibraryDamaged

STORED = np.dtype("<f2")

_CRC_BYTES = 4
# The CRC-32 of anything that is followed by its own CRC-32, little-endian.
_RESIDUE = 0x2144DF1C

# Rounding to float16 moves the length of a unit vector by less than this.
UNIT_TOLERANCE = 2e-3


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scaled to unit length along the last axis, float32. A zero vector stays zero."""
    wide = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1)


def to_blob(vector: np.ndarray) -> bytes:
    """Return (d,) float -> its stored bytes. A vector with NaN or infinity is refused: it would
    poison every search.
    """
    if not np.isfinite(vector).all():
        raise ValueError("a vector with NaN or infinite values cannot be stored")
    values = np.asarray(vector, dtype=STORED).tobytes()
    return values + zlib.crc32(values).to_bytes(_CRC_BYTES, "little")


def intact(blob: object, dimension: int) -> bool:
    """Return whether a stored vector is as it was written."""
    size = STORED.itemsize * dimension + _CRC_BYTES
    return isinstance(blob, bytes) and len(blob) == size and zlib.crc32(blob) == _RESIDUE


def from_blobs(blobs: Iterable[bytes], dimension: int) -> np.ndarray:
    """Stored vectors -> (n, dimension) float32. Raises `LibraryDamaged` where one is not intact."""
    values = []
    for blob in blobs:
        if not intact(blob, dimension):
            raise LibraryDamaged(
                "the library holds damaged vectors: drop them with: audiosearch doctor --repair, and "
                "make them anew with: audiosearch index"
            )
        values.append(blob[:-_CRC_BYTES])
    joined = np.frombuffer(b"".join(values), dtype=STORED)
    return joined.reshape(-1, dimension).astype(np.float32)


def exact_scores(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosines of (n, d) with (d,) as float32.

    Summed in float64 and rounded once: a score then does not depend on how many others were
    computed with it, and two searches that find the same window by different ways agree on it to
    the last bit.
    """
    return (vectors.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
