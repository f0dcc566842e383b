"""`Scans` lets several queries go through an index in one call, which enters and leaves FAISS once for
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


class Scans:
    """The scans of an index for unit vectors (d,). It is for one thread.

    The first query that asks for its k nearest windows asks for those of all queries, and the
    others find theirs made.
    """

    def __init__(self, queries: Sequence[np.ndarray]) -> None:
        self._queries = np.stack(queries)
        self._places = {query.tobytes(): place for place, query in enumerate(self._queries)}
        self._made: dict[int, list[np.ndarray]] = {}

    def nearest(
        self, query: np.ndarray, k: int, scan: Callable[[np.ndarray], list[np.ndarray]]
    ) -> np.ndarray:
        """Return the ids (int64) that `scan` gives a query (d,); it scans for queries (n, d) and the
        k nearest windows of each.
        """
        place = self._places.get(query.tobytes())
        if place is None:
            return scan(query[None])[0]
        if k not in self._made:
            self._made[k] = scan(self._queries)
        return self._made[k][place]
