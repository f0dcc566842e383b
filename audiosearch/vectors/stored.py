"""The reading of vectors from the database: rows of `windows` become arrays of ids (int64) and unit
vectors (float32).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import window_reading
from audiosearch.vectors.codec import from_blobs


def vectors_of(
    connection: Connection, ids: np.ndarray, dimension: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (ids, vectors (n, d) float32) of these windows, in the order of ids.

    Windows that no longer exist are left out.
    """
    rows = sorted(window_reading.vectors_by_id(connection, ids))
    existing = np.array([row[0] for row in rows], dtype=np.int64)
    return existing, from_blobs((row[1] for row in rows), dimension)


def batches(
    rows: Iterator[tuple[int, bytes]], dimension: int, size: int = 20_000
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (id, blob) in batches of (ids int64 (n,), vectors float32 (n, d))."""
    ids: list[int] = []
    blobs: list[bytes] = []
    for window_id, blob in rows:
        ids.append(window_id)
        blobs.append(blob)
        if len(ids) == size:
            yield np.array(ids, dtype=np.int64), from_blobs(blobs, dimension)
            ids, blobs = [], []
    if ids:
        yield np.array(ids, dtype=np.int64), from_blobs(blobs, dimension)
