"""The vectors that a program holds in memory anyway, by the ids of their windows.

A flat index holds the float16 vectors of the database to the bit, behind a checksum that every
opening verifies. A score that is computed from them equals one from the database, and costs no
read. An inverted index holds rounded vectors, which give no exact scores.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

# A block of float32 rows stays in a core's cache while it is multiplied. Four times as many rows
# take 1.5 times as long.
_BLOCK = 1_024

# One look at the best of so many scores saves the look at each.
_RUN = 64


class HeldVectors:
    """Vectors (n, d), float16 or float32, with the `ids` (n,) int64 of their windows, ascending."""

    def __init__(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        self._ids, self._vectors = ids, vectors

    def nearest(self, queries: np.ndarray, k: int) -> list[np.ndarray]:
        """Return the ids of the k vectors nearest to each of n queries (n, d), best first.

        Each vector is widened to float32 once for all queries, where an index of FAISS widens it for
        each. For one query that is slower, for 8 it takes two thirds of the time, for 16 less than
        half. Sums may differ in the last bit, and so the order of vectors that nearly tie.
        """
        columns = np.ascontiguousarray(queries.T, dtype=np.float32)
        scores = np.empty((len(queries), len(self._ids)), dtype=np.float32)
        for first in range(0, len(self._ids), _BLOCK):
            rows = {"vectors": self._vectors[first : first + _BLOCK], "queries": columns}
            (cosines,) = self._product.run(None, rows)
            scores[:, first : first + _BLOCK] = cosines.T
        return [self._ids[leading(row, k)] for row in scores]

    @cached_property
    def _product(self) -> Any:
        """The graph that multiplies float16 rows (n, d) by float32 columns (d, m)."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = (files("audiosearch.vectors") / "product.onnx").read_bytes()
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mask (m,) of those of these windows (m,) that are held, and their vectors."""
        if not len(self._ids):
            return np.zeros(len(ids), bool), self._vectors[:0]
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        held: np.ndarray = self._ids[places] == ids
        return held, self._vectors[places[held]]


def leading(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k highest scores (n,), best first, of equals the first."""
    near = np.arange(len(scores))
    runs = len(scores) // _RUN
    if runs > k:
        highest = scores[: runs * _RUN].reshape(runs, _RUN).max(axis=1)
        near = np.flatnonzero(scores >= np.partition(highest, -k)[-k])
    return near[np.argsort(-scores[near], kind="stable")][:k]


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
