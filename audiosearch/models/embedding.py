"""Files as vectors. `indexer.isolated` makes them of a file that is not to be stored, as
`indexer.pipeline` does of those that are: the same windows, the same tower, the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.vectors.codec import unit


@dataclass(frozen=True)
class EmbeddedFile:
    """The windows of a file that hold sound: `vectors` (n, d) float32 unit; `starts`, `ends` (n,)
    seconds.
    """

    vectors: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    duration: float

    @property
    def mean(self) -> np.ndarray:
        """(d,) unit vector of the whole file."""
        return mean_of(self.vectors)


def mean_of(vectors: np.ndarray) -> np.ndarray:
    """The unit vector (d,) of the mean of unit vectors (n, d)."""
    return unit(vectors.mean(axis=0))
