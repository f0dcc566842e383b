"""The search for the nearest windows inside PostgreSQL, by pgvector.

The indexes over a model's vectors (`indexer.pgvector_index`), each over a range of ids of windows,
propose; the scores come from the stored vectors, by the function that scores SQLite's, so they are
equal to the bit. Windows after the last range are compared, as are all that may count where few
windows pass a filter, where the library is small, and where an index gives too few. A statement
carries the contents that a filter passes where they are few, else the filter itself.

The order of a proposal is that of `<#>`, the negative inner product.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    Connection,
    Select,
    TextClause,
    bindparam,
    literal_column,
    select,
    text,
)

from audiosearch.catalog import window_reading
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import contents, roots, sounds, windows
from audiosearch.catalog.vector_type import packed
from audiosearch.errors import LibraryDamaged
from audiosearch.vectors import above
from audiosearch.vectors.codec import exact_scores
from audiosearch.vectors.latest import Latest
from audiosearch.vectors.stored import vectors_of
from audiosearch.vectors.window_index import CACHE_AHEAD

# From so many windows on a model has an index. So many are compared in some 10 ms, those of a filter
# too: to walk past what it does not pass takes twice as long.
INDEX_FROM = 10_000

# Where a filter passes at most this part of the windows, to compare these takes no longer than to
# walk the index past all others, and finds everything (`scripts.bench.postgres`).
_EXACT_PART = 0.05

# The index keeps at least this many candidates in its walk: with 100 (0.1 ms less) sounds unlike all
# others are missed at times. An administrator may set more, as `hnsw.ef_search`.
_EF = 200
# pgvector takes no greater number. For more candidates the windows are compared one by one.
_EF_MOST = 1_000
# With a filter that passes few the walk goes on, up to so many windows: twice as many as 5 % need. If
# what passes lies away from the query, a comparison of all of it takes less time than a longer walk.
_SCAN_MOST = 5_000

# Candidates beyond k: a fixed number, and one for each result. The query is rounded for the index.
_MORE, _EACH = 16, 2

_BLOCK = 4_096

# So many filters are remembered in a state, and of each up to so many contents that it passes: a part
# of the path takes 1.5 us for each sound of the library, in every search that asks it anew. All of
# them are 32 MB at most.
_FILTERS_KEPT = 200
_CONTENTS_KEPT = 20_000
# Ranges change in the life of a server.
_STATEMENTS = 32

_NAME = re.compile(r"windows_hnsw_(\d+)_(\d+)_(\d+)")


class Range(NamedTuple):
    """The windows with ids above `after` and up to `upto`."""

    after: int
    upto: int = 2**63 - 1

    def index_name(self, model_id: int) -> str:
        """Return the name of the index over the vectors of a model in this range."""
        return f"windows_hnsw_{model_id}_{self.after}_{self.upto}"


@dataclass(frozen=True)
class _Allowed:
    """What the filter `where` passes: the number of `windows`, and the ids of the `contents`; `None`
    where these are more than are kept.
    """

    where: Filter
    windows: int
    contents: list[int] | None


def _filters() -> Latest[_Allowed]:
    return Latest(_FILTERS_KEPT)


@dataclass(frozen=True)
class PgvectorSearch:
    """Search over one state of the windows of one model; see `WindowSearch`.

    `ranges` have an index each, and `last` is the last window. `filters` keeps what the latest filters
    pass.
    """

    model: StoredModel
    generation: int
    count: int
    ranges: tuple[Range, ...] = ()
    last: int = 0
    filters: Latest[_Allowed] = field(default_factory=_filters)

    def for_queries(self, queries: Sequence[np.ndarray]) -> PgvectorSearch:
        """Return the search itself: each query walks the index by itself."""
        return self

    def nearest(
        self,
        connection: Connection,
        query: np.ndarray,
        k: int,
        where: Filter | None = None,
        excluded_contents: Sequence[int] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest windows; see `WindowSearch`."""
        allowed = self._allowed(connection, where) if where else None
        few = allowed.windows if allowed else self.count
        limit = _MORE + _EACH * k
        if few <= max(INDEX_FROM, _EXACT_PART * self.count) or limit > _EF_MOST:
            proposed = self._compared(connection, query, _MORE + k, allowed, excluded_contents)
        else:
            proposed = self._proposed(connection, query, limit, k, allowed, excluded_contents)
        scores = self.scores_of(connection, query, proposed)
        # The order is by score, then by id. `audiosearch.search.ranking` breaks ties by path.
        order = np.lexsort((proposed, -scores))[:k]
        return proposed[order], scores[order]

    def scores_of(self, connection: Connection, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return the exact scores of these windows; see `WindowSearch`."""
        scores = np.empty(len(ids), np.float32)
        for first in range(0, len(ids), _BLOCK):
            block = ids[first : first + _BLOCK]
            existing, vectors = vectors_of(connection, block, self.model.dimension)
            order = np.argsort(block)
            if not np.array_equal(existing, block[order]):
                raise LibraryDamaged(CACHE_AHEAD)
            scores[first + order] = exact_scores(vectors, query)
        return scores

    def above(
        self,
        connection: Connection,
        query: np.ndarray,
        least: float,
        few: int = 0,
        expected: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return all windows above a score; see `WindowSearch`. Every window is compared, whatever
        is expected.
        """
        values = {"query": packed(query, half=False), "least": least}
        _prepare(connection)
        rows = connection.execute(_above(self.model.id), values).all()
        ids = np.array([row[0] for row in rows], np.int64)
        scores = np.array([row[1] for row in rows], np.float32)
        if len(ids) < few:
            ids, scores = self.nearest(connection, query, few)
        return above.merged(ids, scores, ids[:0], scores[:0], least, few)

    def _allowed(self, connection: Connection, where: Filter) -> _Allowed:
        """Return what a filter passes."""

        def make() -> _Allowed:
            rows = window_reading.allowed_contents(
                connection, where, self.model.id, _CONTENTS_KEPT + 1
            )
            if len(rows) <= _CONTENTS_KEPT:
                return _Allowed(where, sum(count for _, count in rows), [row[0] for row in rows])
            count = window_reading.count_allowed_windows(connection, where, self.model.id)
            return _Allowed(where, count, None)

        return self.filters.get(where, make)

    def _proposed(
        self,
        connection: Connection,
        query: np.ndarray,
        limit: int,
        k: int,
        allowed: _Allowed | None,
        excluded: Sequence[int],
    ) -> np.ndarray:
        """Return what each index proposes, and the nearest of the windows after the last one."""
        parts = []
        for part in self.ranges:
            ids = self._indexed(connection, query, limit, allowed, excluded, part)
            if len(ids) < limit:
                ids = self._compared(connection, query, _MORE + k, allowed, excluded, part)
            parts.append(ids)
        rest = Range(self.ranges[-1].upto if self.ranges else 0)
        if self.last > rest.after:
            parts.append(self._compared(connection, query, _MORE + k, allowed, excluded, rest))
        return np.concatenate(parts)

    def _indexed(
        self,
        connection: Connection,
        query: np.ndarray,
        limit: int,
        allowed: _Allowed | None,
        excluded: Sequence[int],
        part: Range,
    ) -> np.ndarray:
        """Return the windows that the index of a range proposes; fewer where its walk ends before."""
        statement = _nearest_by_index(self.model.id, self.model.dimension, part)
        if allowed and allowed.contents is None:
            # An EXISTS with OFFSET stays one question for each window of the walk. As a join it
            # would be answered for the whole library first.
            passing = (
                select(literal_column("1"))
                .select_from(sounds.join(roots).join(contents))
                .where(sounds.c.content_id == windows.c.content_id, *conditions(allowed.where))
                .offset(0)
                .exists()
            )
            statement = statement.where(passing)
        _prepare(connection, max(_EF, limit))
        values = {"query": packed(query, half=True), "excluded": list(excluded), "limit": limit}
        return _ids(connection, statement, values, allowed)

    def _compared(
        self,
        connection: Connection,
        query: np.ndarray,
        limit: int,
        allowed: _Allowed | None,
        excluded: Sequence[int],
        part: Range | None = None,
    ) -> np.ndarray:
        """Return the nearest windows by a comparison of all that may count; of those of a range."""
        statement = _nearest_of_all(self.model.id, part)
        if allowed and allowed.contents is None:
            passing = (
                select(sounds.c.content_id)
                .distinct()
                .select_from(sounds.join(roots).join(contents))
                .where(*conditions(allowed.where))
                .cte("passing")
                .prefix_with("MATERIALIZED")
            )
            statement = statement.where(windows.c.content_id.in_(select(passing.c.content_id)))
        _prepare(connection)
        values = {"query": packed(query, half=False), "excluded": list(excluded), "limit": limit}
        return _ids(connection, statement, values, allowed)


def _ids(
    connection: Connection,
    statement: Select[Any],
    values: dict[str, Any],
    allowed: _Allowed | None,
) -> np.ndarray:
    """Return the ids of the windows that a statement gives; of those of a few contents."""
    if allowed and allowed.contents is not None:
        statement = statement.where(text(_AMONG))
        values = {**values, "contents": allowed.contents}
    return np.array([row[0] for row in connection.execute(statement, values)], np.int64)


def current(connection: Connection, model: StoredModel, generation: int) -> PgvectorSearch:
    """Return the search over the state that the connection's transaction sees."""
    return PgvectorSearch(
        model,
        generation,
        window_reading.count_allowed_windows(connection, None, model.id),
        indexed_ranges(connection, model.id),
        window_reading.last_window(connection, model.id),
    )


def indexed_ranges(connection: Connection, model_id: int) -> tuple[Range, ...]:
    """Return the ranges of a model's windows that have an index, in their order. Each begins where
    the one before it ends, the first with the first window.
    """
    ranges: dict[int, Range] = {}
    for name in index_names(connection, valid=True):
        if match := _NAME.fullmatch(name):
            number, after, upto = map(int, match.groups())
            if number == model_id:
                ranges[after] = max(Range(after, upto), ranges.get(after, Range(0, 0)))
    chain, after = [], 0
    while after in ranges:
        chain.append(ranges[after])
        after = chain[-1].upto
    return tuple(chain)


def index_names(connection: Connection, *, valid: bool = False) -> list[str]:
    """Return the names of the indexes over vectors; of those that are complete."""
    query = text(
        "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid "
        "WHERE indrelid = 'windows'::regclass AND relname LIKE 'windows_hnsw_%'"
        + (" AND indisvalid" if valid else "")
    )
    return [row[0] for row in connection.execute(query)]


def indexed_vector(dimension: int) -> str:
    """Return the expression that the index is over: the column itself holds any dimension."""
    return f"(vector::halfvec({dimension}))"


def _prepare(connection: Connection, ef: int = _EF) -> None:
    """Set, for this transaction, what pgvector's walk does. Compiled code does not pay here."""
    connection.execute(_SETTINGS, {"ef": str(ef), "most": str(max(_SCAN_MOST, ef))})


_SETTINGS = text(
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
    "set_config('hnsw.ef_search', "
    "CAST(greatest(CAST(:ef AS int), "
    "CAST(nullif(current_setting('hnsw.ef_search', true), '') AS int)) AS text), true), "
    "set_config('hnsw.max_scan_tuples', :most, true), set_config('jit', 'off', true)"
)
_AMONG = "windows.content_id = ANY(CAST(:contents AS bigint[]))"
_NOT_EXCLUDED = "windows.content_id <> ALL(CAST(:excluded AS bigint[]))"
# Exact but for a rounding of float32: the order of what is compared.
_DISTANCE = "CAST(windows.vector AS vector) <#> CAST(:query AS vector)"


def _of_model(model_id: int) -> Any:
    # A number in the statement, not a parameter: the index is over the rows of one model.
    return windows.c.model_id == literal_column(str(model_id))


def _of_range(part: Range | None) -> list[Any]:
    if part is None:
        return []
    return [text(f"windows.id > {part.after} AND windows.id <= {part.upto}")]


@lru_cache(_STATEMENTS)
def _nearest_by_index(model_id: int, dimension: int, part: Range) -> Select[Any]:
    distance = (
        f"CAST(windows.vector AS halfvec({dimension})) <#> CAST(:query AS halfvec({dimension}))"
    )
    return (
        select(windows.c.id)
        .where(_of_model(model_id), *_of_range(part), text(_NOT_EXCLUDED))
        .order_by(text(distance))
        .limit(bindparam("limit"))
    )


@lru_cache(_STATEMENTS)
def _nearest_of_all(model_id: int, part: Range | None) -> Select[Any]:
    return (
        select(windows.c.id)
        .where(_of_model(model_id), *_of_range(part), text(_NOT_EXCLUDED))
        .order_by(text(_DISTANCE))
        .limit(bindparam("limit"))
    )


@cache
def _above(model_id: int) -> TextClause:
    return text(
        f"SELECT id, -distance FROM (SELECT id, {_DISTANCE} AS distance FROM windows "
        f"WHERE model_id = {model_id}) AS compared WHERE distance <= -CAST(:least AS float8)"
    )
