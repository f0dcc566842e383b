"""`WindowSearch`, the seam between a search and what finds the nearest windows: the FAISS cache
beside SQLite (`window_search`), or pgvector inside PostgreSQL (`pgvector_search`).

Vectors are (d,) float32 of unit length; scores are cosines, float32; ids of windows are int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import StoredModel

CACHE_AHEAD = (
    "windows that the library's vector cache knows are not in its database: see audiosearch doctor"
)


class WindowSearch(Protocol):
    """The search over the windows of one model in one state of a library.

    Every method takes a connection whose transaction sees that state. All may raise
    `LibraryDamaged`.
    """

    @property
    def model(self) -> StoredModel:
        """The model of the vectors."""

    @property
    def generation(self) -> int:
        """The library's generation in this state."""

    @property
    def count(self) -> int:
        """The number of windows that a search can reach."""

    def for_queries(self, queries: Sequence[np.ndarray]) -> WindowSearch:
        """Return the search over the same state for these vectors, for use in one thread: what each
        of them asks of the whole index may be asked once for all of them.
        """

    def nearest(
        self,
        connection: Connection,
        query: np.ndarray,
        k: int,
        where: Filter | None = None,
        excluded_contents: Sequence[int] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k windows nearest to a vector: their ids and their exact scores, best first.

        The result has only windows whose sound meets `where`, and none of the contents
        `excluded_contents`. The scores come from the stored vectors, whatever proposed the windows.
        """

    def scores_of(self, connection: Connection, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return the exact scores (n,), float32, of a vector (d,) and these windows (n,) of the
        state.
        """

    def above(
        self,
        connection: Connection,
        query: np.ndarray,
        least: float,
        few: int = 0,
        expected: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids and the scores of the windows that score at least `least`, and of the
        first `few` windows in any case; best first. It is for counting: see `above`.

        `expected` is a guess of their number. A good one saves time, a bad one changes nothing.
        """
