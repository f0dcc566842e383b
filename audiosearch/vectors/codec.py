"""The stored form of vectors: little-endian float16 and a CRC-32. A reader so learns whether a
vector is the one that was written.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from audiosearch.errors import LibraryDamaged

STORED = np.dtype("<f2")

_CRC_BYTES = 4
# Any bytes followed by their own CRC-32, little-endian, have this CRC-32.
_RESIDUE = 0x2144DF1C

# Rounding to float16 moves the length of a unit vector by less than this.
UNIT_TOLERANCE = 2e-3


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., d) at unit length, float32. A zero vector stays zero."""
    wide = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1)


def to_blob(vector: np.ndarray) -> bytes:
    """Return the stored bytes of a vector (d,).

    Raises `ValueError` for NaN or infinity: such a vector would poison every search.
    """
    if not np.isfinite(vector).all():
        raise ValueError("a vector with NaN or infinite values cannot be stored")
    values = np.asarray(vector, dtype=STORED).tobytes()
    return values + zlib.crc32(values).to_bytes(_CRC_BYTES, "little")


def intact(blob: object, dimension: int) -> bool:
    """Return whether a stored vector has its dimension and its checksum."""
    size = STORED.itemsize * dimension + _CRC_BYTES
    return isinstance(blob, bytes) and len(blob) == size and zlib.crc32(blob) == _RESIDUE


def from_blobs(blobs: Iterable[bytes], dimension: int) -> np.ndarray:
    """Return n stored vectors as (n, dimension) float32. Raises `LibraryDamaged` for a damaged one."""
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
    """Return the cosines (n,) of n unit vectors (n, d) with a query (d,), as float32.

    The function sums in float64 and rounds once. A score then does not depend on the scores
    computed beside it, and two searches that reach a window in different ways agree to the last
    bit.
    """
    wide = np.asarray(vectors, np.float64)
    scores: np.ndarray = (wide @ query.astype(np.float64)).astype(np.float32)
    return scores
