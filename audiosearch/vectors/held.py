"""The vectors that a program holds in memory anyway, by the ids of their windows.

A flat index holds the float16 vectors of the database to the bit, behind a checksum that every
opening verifies. A score that is computed from them equals one from the database, and costs no
read. An inverted index holds rounded vectors, which give no exact scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class HeldVectors:
    """Vectors (n, d), float16 or float32, with the `ids` (n,) int64 of their windows, ascending."""

    def __init__(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        self._ids, self._vectors = ids, vectors

    def of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mask (m,) of those of these windows (m,) that are held, and their vectors."""
        if not len(self._ids):
            return np.zeros(len(ids), bool), self._vectors[:0]
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        held: np.ndarray = self._ids[places] == ids
        return held, self._vectors[places[held]]


def vectors_of_index(index: Any, kind: str) -> HeldVectors | None:
    """Return the vectors of an index of `kinds`, without a copy of them; `None` where it holds no
    exact ones.
    """
    import faiss

    if kind != "flat" or not index.ntotal:
        return None
    ids = faiss.vector_to_array(index.id_map)
    if not (np.diff(ids) > 0).all():  # the indexer adds them in this order
        return None
    codes = faiss.downcast_index(index.index).codes
    raw = faiss.rev_swig_ptr(codes.data(), codes.size())
    return HeldVectors(ids, raw.view(np.float16).reshape(index.ntotal, index.d))
