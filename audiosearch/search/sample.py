"""`Sample` is the part of a library that percentiles of scores refer to."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import window_reading
from audiosearch.vectors.codec import from_blobs

# A percentile needs no more sounds than this (its error is about 1 point). A long sound adds at
# most this many windows.
SAMPLE_SOUNDS = 1_000
SAMPLE_WINDOWS = 8

# A product of so few rows stays on one thread. BLAS's own threads spin on after their work, on
# cores that other searches need: with them two threads search 1.1 times as fast as one, not 1.9
# times.
_BLOCK = 64

# Sums of 512 products in float32 differ from those in float64 by less.
_TIE = 1e-6


class Sample:
    """A sample of the library's windows, which percentiles of scores refer to."""

    def __init__(
        self,
        connection: Connection,
        model_id: int,
        dimension: int,
        previous: Sample | None = None,
    ) -> None:
        """Read the sample. What `previous`, a sample of the same model, has of it is not read again:
        during an index run a state lasts for a second, and little changes.
        """
        sample = np.array(window_reading.sample_contents(connection, SAMPLE_SOUNDS), dtype=np.int64)
        kept = np.empty(0, np.int64), np.empty((0, dimension), np.float32)
        if previous is not None:
            still = np.isin(previous._content, sample)
            kept = previous._content[still], previous._vectors()[still]
        missing = np.setdiff1d(sample, kept[0])
        rows = list(window_reading.sample_windows(connection, model_id, missing, SAMPLE_WINDOWS))
        read = np.array([row[0] for row in rows], dtype=np.int64)
        self._content: np.ndarray = np.concatenate([kept[0], read])
        self.contents, self._sound = np.unique(self._content, return_inverse=True)
        vectors = np.concatenate([kept[1], from_blobs((row[1] for row in rows), dimension)])
        self._count = len(vectors)
        blocks = -(-self._count // _BLOCK)
        # The array is (blocks, _BLOCK, d); zeros fill the last block.
        self._blocks = np.zeros((blocks, _BLOCK, dimension), dtype=np.float32)
        self._vectors()[:] = vectors

    def _vectors(self) -> np.ndarray:
        """Return (n, d): the sample's windows."""
        return self._blocks.reshape(-1, self._blocks.shape[2])[: self._count]

    def _scores(self, query: np.ndarray) -> np.ndarray:
        """Return (n,): the cosines of the sample's windows."""
        cosines: np.ndarray = (self._blocks @ query).reshape(-1)[: self._count]
        return cosines

    def percentiles(
        self, query: np.ndarray, scores: np.ndarray, best: np.ndarray | None = None
    ) -> np.ndarray:
        """Return, for each score (n,), its percentile (0..100) in the sample.

        The percentile is the percentage of sounds whose best window scores lower; ties count half.
        `best` is that of the query, where it was made before.
        """
        if not self._count:
            return np.zeros(len(scores))
        best = np.sort(self.best(query) if best is None else best)
        below = np.searchsorted(best, scores - _TIE, side="left")
        upto = np.searchsorted(best, scores + _TIE, side="right")
        return 100.0 * (below + upto) / 2 / len(best)

    def spread(self, query: np.ndarray, best: np.ndarray | None = None) -> tuple[float, float]:
        """Return the mean and the standard deviation of the scores of the sample's sounds, by their
        best windows. `best` is as in `percentiles`.
        """
        if not self._count:
            return 0.0, 0.0
        best = self.best(query) if best is None else best
        return float(best.mean()), float(best.std())

    def best(self, query: np.ndarray) -> np.ndarray:
        """Return (sounds,): the score of the best window of each sound of the sample."""
        best = np.full(len(self.contents), -np.inf, dtype=np.float32)
        np.maximum.at(best, self._sound, self._scores(query))
        return best

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Return (sounds, queries): the scores of the best windows, for unit vectors (n, d); the
        sounds in the order of `contents`, their ids.
        """
        best = np.full((len(self.contents), len(queries)), -np.inf, dtype=np.float32)
        cosines = self._blocks.reshape(-1, queries.shape[1])[: self._count] @ queries.T
        np.maximum.at(best, self._sound, cosines)
        return best

    def median(self, query: np.ndarray) -> float:
        """Return the median of the scores of the sample's windows."""
        if not self._count:
            return 0.0
        return float(np.median(self._scores(query)))
