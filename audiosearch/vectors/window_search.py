"""The search for the nearest windows: in the cache, and in the rows after it, without the rows
deleted since.

A `FaissSearch` is one immutable state of a library. A read transaction makes it, and it answers
for exactly the rows that the transaction saw. The next state (`current`) is cheap: the cache stays
mapped, and only the rows after it are read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import StoredModel
from audiosearch.errors import LibraryDamaged
from audiosearch.vectors import above, kinds
from audiosearch.vectors.cachefile import CacheUnusable, SnapshotTooOld, read_cache
from audiosearch.vectors.codec import exact_scores
from audiosearch.vectors.held import HeldVectors, vectors_of_index
from audiosearch.vectors.latest import Latest
from audiosearch.vectors.scans import Scans
from audiosearch.vectors.stored import batches, vectors_of
from audiosearch.vectors.validity import FEW, usable_footer
from audiosearch.vectors.window_index import CACHE_AHEAD, WindowSearch

log = logging.getLogger(__name__)

# With at most this many allowed windows, reading their vectors from SQLite (4 us each) is faster
# than walking the index with a selector. A filter of 1 % needs all lists of an inverted index of 1
# M windows, which takes 7 ms.
_EXACT_UPTO = 1_000

# So many vectors are scored at once, in 32 MB: a word can bring recordings of many hours.
_BLOCK = 4_096

# The index returns more candidates than results: a fixed number, and a number for each result. A
# flat index holds the vectors of the database, and rounding reorders only ties. An int8 index needs
# a little more (at 1 M windows more than twice as many change no recall).
_OVERFETCH = {"flat": (16, 1), "ivf": (16, 2)}

# From so many queries on, held vectors are scanned in less time than FAISS takes.
_SEVERAL = 6

# Each window that a filter allows takes 8 bytes: 32 filters that allow all of 1 M windows take 256
# MB.
FILTERS_KEPT = 32


def _filters() -> Latest[np.ndarray]:
    return Latest(FILTERS_KEPT)


@dataclass(frozen=True)
class _Base:
    """A FAISS index over the windows up to `covers`, and its vectors where they are exact."""

    index: Any
    kind: str
    covers: int
    generation: int
    held: HeldVectors | None


@dataclass(frozen=True)
class FaissSearch:
    """Search over one state of the windows of one model; see `WindowSearch`.

    It keeps the ids of the windows that the latest filters allow: filters change as people type.
    """

    model: StoredModel
    generation: int
    base: _Base
    dead: np.ndarray
    tail_ids: np.ndarray
    tail: np.ndarray
    filters: Latest[np.ndarray] = field(default_factory=_filters)
    scans: Scans | None = None

    def for_queries(self, queries: Sequence[np.ndarray]) -> WindowSearch:
        """Return the search for these vectors; see `WindowSearch`. It scans the index once for all."""
        return replace(self, scans=Scans(queries))

    @property
    def count(self) -> int:
        """The number of windows that a search can reach."""
        return int(self.base.index.ntotal - len(self.dead) + len(self.tail_ids))

    def nearest(
        self,
        connection: Connection,
        query: np.ndarray,
        k: int,
        where: Filter | None = None,
        excluded_contents: Sequence[int] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest windows; see `WindowSearch`. Scores come from the stored vectors, for
        every kind of index.
        """
        import faiss

        allowed = self._allowed(connection, where) if where else None
        excluded = self._windows_of(connection, excluded_contents) if excluded_contents else None

        # With more threads a single query is slower (2-6 times on two busy cores).
        faiss.omp_set_num_threads(1)
        if allowed is not None:
            if excluded is not None:
                allowed = np.setdiff1d(allowed, excluded, assume_unique=True)
            if len(allowed) <= _EXACT_UPTO:
                return self._exactly(connection, query, k, allowed)
        more, each = _OVERFETCH[self.base.kind]
        candidates = [
            self._in_base(query, more + each * k, allowed, excluded),
            self._in_tail(query, k, allowed, excluded),
        ]
        return self._exactly(connection, query, k, np.concatenate(candidates))

    def above(
        self,
        connection: Connection,
        query: np.ndarray,
        least: float,
        few: int = 0,
        expected: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return all windows above a score; see `WindowSearch`. No vector is read from the
        database.
        """
        base = self.base
        ids, scores = above.in_index(base.index, base.kind, self.dead, query, least, few, expected)
        return above.merged(ids, scores, self.tail_ids, self.tail @ query, least, few)

    def _allowed(self, connection: Connection, where: Filter) -> np.ndarray:
        """Return the ids (int64, ascending) of the windows whose sound meets a filter."""
        return self.filters.get(
            where, lambda: window_reading.allowed_windows(connection, where, self.model.id)
        )

    def _windows_of(self, connection: Connection, contents: Sequence[int]) -> np.ndarray:
        """Return the ids (int64, ascending) of the windows of these contents."""
        rows = window_reading.windows_of_contents(connection, contents, self.model.id)
        return np.array(sorted(row.id for row in rows), dtype=np.int64)

    def _in_base(
        self,
        query: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        excluded: np.ndarray | None,
    ) -> np.ndarray:
        import faiss

        total = self.base.index.ntotal
        barred = self.dead if excluded is None else np.union1d(self.dead, excluded)
        bits, selector, part = None, None, 1.0
        if allowed is not None:
            inside = np.setdiff1d(allowed[allowed <= self.base.covers], barred, assume_unique=True)
            part = len(inside) / max(1, total)
            flags = np.zeros(self.base.covers + 8, dtype=bool)
            flags[inside] = True
            bits = np.packbits(flags, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
        elif len(barred):
            selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(barred))

        def scan(queries: np.ndarray) -> list[np.ndarray]:
            index, kind, held = self.base.index, self.base.kind, self.base.held
            if selector is None and held is not None and len(queries) >= _SEVERAL:
                return held.nearest(queries, k)
            return [ids for ids, _ in kinds.search_many(index, kind, queries, k, selector, part)]

        if self.scans is not None and allowed is None and excluded is None:
            return self.scans.nearest(query, k, scan)
        return scan(query[None])[0]

    def _in_tail(
        self,
        query: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        excluded: np.ndarray | None,
    ) -> np.ndarray:
        if not len(self.tail_ids):
            return self.tail_ids
        scores = self.tail @ query
        if allowed is not None:
            scores = np.where(np.isin(self.tail_ids, allowed), scores, -np.inf)
        if excluded is not None:
            scores = np.where(np.isin(self.tail_ids, excluded), -np.inf, scores)
        best = np.argsort(-scores, kind="stable")[: 2 * k]
        ids: np.ndarray = self.tail_ids[best[np.isfinite(scores[best])]]
        return ids

    def scores_of(self, connection: Connection, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return exact scores of windows; see `WindowSearch`. What memory does not hold comes from
        the database.
        """
        scores = np.empty(len(ids), np.float32)
        for first in range(0, len(ids), _BLOCK):
            block = slice(first, first + _BLOCK)
            scores[block] = exact_scores(self._vectors(connection, ids[block]), query)
        return scores

    def _vectors(self, connection: Connection, ids: np.ndarray) -> np.ndarray:
        # Scores are sums in float64. Most of their time goes into widening float16, done once.
        vectors = np.empty((len(ids), self.model.dimension), np.float64)
        missing = np.arange(len(ids))
        for source in (self.base.held, HeldVectors(self.tail_ids, self.tail)):
            if source and len(missing):
                held, vectors_held = source.of(ids[missing])
                vectors[missing[held]] = vectors_held
                missing = missing[~held]
        if len(missing):
            existing, read = vectors_of(connection, ids[missing], self.model.dimension)
            order = missing[np.argsort(ids[missing])]
            if not np.array_equal(existing, ids[order]):
                raise LibraryDamaged(CACHE_AHEAD)
            vectors[order] = read
        return vectors

    def _exactly(
        self, connection: Connection, query: np.ndarray, k: int, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        scores = self.scores_of(connection, query, ids)
        # The order is by score, then by id. `audiosearch.search.ranking` breaks ties by path.
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]


def _base(
    connection: Connection, directory: Path, model: StoredModel, newer: bool = False
) -> _Base:
    """Return the cache file's index, or a flat index made in memory where no usable file exists.

    Raises `SnapshotTooOld` where the file is newer than the database. With `newer` such a file
    counts as unusable.
    """
    try:
        footer = usable_footer(connection, directory, model)
        index = read_cache(directory, footer)
        held = vectors_of_index(index, footer.kind)
        return _Base(index, footer.kind, footer.covers, footer.generation, held)
    except CacheUnusable as reason:
        if isinstance(reason, SnapshotTooOld) and not newer:
            raise
        count = window_reading.count_windows(connection, model.id)
        if count > FEW:
            log.warning(
                "the vector cache of %s is not used: %s; reading %d vectors from the database "
                "instead (the next index run writes a new one)",
                directory,
                reason,
                count,
            )
    index = kinds.empty_index("flat", model.dimension, count)
    kinds.add(
        index, batches(window_reading.vectors_after(connection, model.id, 0), model.dimension)
    )
    return _Base(
        index,
        "flat",
        window_reading.last_window(connection, model.id),
        reading.generation(connection),
        vectors_of_index(index, "flat"),
    )


class SearchState:
    """The keeper of the newest `WindowSearch` of a library. It is thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._state: WindowSearch | None = None

    def current(
        self, connection: Connection, model: StoredModel, *, newer: bool = False
    ) -> WindowSearch:
        """Return the search over the state that the connection's transaction sees.

        Raises `SnapshotTooOld` where the cache file is newer than the transaction: the caller must
        begin a new one. With `newer` the search ignores such a file (the database came from a
        backup).
        """
        generation = reading.generation(connection)
        state = self._state
        if state and state.generation == generation and state.model.digest == model.digest:
            return state
        with self._lock:
            state = self._state
            if not (
                state and state.generation == generation and state.model.digest == model.digest
            ):
                state = self._next(connection, model, generation, state, newer)
                self._state = state
            return state

    def _next(
        self,
        connection: Connection,
        model: StoredModel,
        generation: int,
        last: WindowSearch | None,
        newer: bool,
    ) -> WindowSearch:
        if connection.dialect.name == "postgresql":
            from audiosearch.vectors import pgvector_search

            return pgvector_search.current(connection, model, generation)
        floor = int(reading.get_meta(connection, "tombstone_floor") or 0)
        if (
            isinstance(last, FaissSearch)
            and last.model.digest == model.digest
            and floor <= last.base.generation <= last.generation <= generation
            and not self._newer_file(connection, model, last.base)
        ):
            base = last.base
            newly_dead = window_reading.dead_windows(connection, last.generation)
            alive = ~np.isin(last.tail_ids, newly_dead)
            tail_ids, tail = last.tail_ids[alive], last.tail[alive]
            read_upto = max(base.covers, int(last.tail_ids[-1]) if len(last.tail_ids) else 0)
        else:
            base = _base(connection, self._directory, model, newer)
            tail_ids = np.empty(0, np.int64)
            tail = np.empty((0, model.dimension), np.float32)
            read_upto = base.covers
        new = list(
            batches(window_reading.vectors_after(connection, model.id, read_upto), model.dimension)
        )
        dead = np.array(window_reading.dead_windows(connection, base.generation), dtype=np.int64)
        return FaissSearch(
            model,
            generation,
            base,
            np.sort(dead[dead <= base.covers]),
            np.concatenate([tail_ids, *(ids for ids, _ in new)]),
            np.concatenate([tail, *(vectors for _, vectors in new)]),
        )

    def _newer_file(self, connection: Connection, model: StoredModel, base: _Base) -> bool:
        try:
            footer = usable_footer(connection, self._directory, model)
        except CacheUnusable:
            return False
        return footer.generation > base.generation
