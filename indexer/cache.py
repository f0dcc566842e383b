"""The renewal of `vectors.faiss`. Only the writer renews it, while it holds the lock."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine, delete, select

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import tombstones, windows
from audiosearch.vectors import kinds
from audiosearch.vectors.cachefile import CacheFooter, CacheUnusable, read_cache, write_cache
from audiosearch.vectors.codec import from_blobs
from audiosearch.vectors.stored import batches
from audiosearch.vectors.validity import is_long, usable_footer, windows_behind
from indexer.meta import set_meta
from indexer.pgvector_index import keep_apart, renew_index

log = logging.getLogger(__name__)

# Lists that were trained on a quarter of the windows are still good; with fewer, recall falls.
_RETRAIN_GROWTH = 4

# Rows after the cache cost a reader memory and time. A long run renews the cache when there are
# this many, and more than a quarter of the rows that it covers.
BEHIND_AT_MOST = 50_000


def is_far_behind(rows: int, covered: int) -> bool:
    """Return whether this many rows after the cache are worth a new one in the middle of a run."""
    return rows > max(BEHIND_AT_MOST, covered // 4)


def prepare_for_many(engine: Engine, model_id: int) -> None:
    """Let a run add many windows of a model at the pace of an empty library."""
    if engine.dialect.name == "postgresql":
        keep_apart(engine, model_id)


def renew_cache(directory: Path, engine: Engine, model: StoredModel) -> CacheFooter | None:
    """Renew the cache if it is unusable, or so far behind that searches become slower.

    Returns `None` where the cache stays as it is. In PostgreSQL there is an index in its place.
    """
    if engine.dialect.name == "postgresql":
        renew_index(engine, model)
        return None
    with engine.connect() as connection:
        try:
            footer = usable_footer(connection, directory, model)
            worth_it = is_long(windows_behind(connection, model, footer), footer.count)
        except CacheUnusable:
            worth_it = True
    return refresh_cache(directory, engine, model) if worth_it else None


def refresh_cache(directory: Path, engine: Engine, model: StoredModel) -> CacheFooter | None:
    """Bring the cache up to the database's state.

    Returns `None` where it already holds all windows.

    The function then deletes the tombstones that no cache needs any more. In PostgreSQL there is an
    index in its place, in the middle of a run.
    """
    if engine.dialect.name == "postgresql":
        renew_index(engine, model, more=True)
        return None
    with engine.connect() as connection:
        generation = reading.generation(connection)
        try:
            old = usable_footer(connection, directory, model)
            if not _changed(connection, model, old):
                return None
        except CacheUnusable as reason:
            log.info("building the vector cache of %s: %s", directory, reason)
            old = None
        footer = _write(directory, connection, model, old, generation)
    with engine.begin() as connection:
        set_meta(connection, "tombstone_floor", generation)
        connection.execute(delete(tombstones).where(tombstones.c.generation <= generation))
    return footer


def _changed(connection: Connection, model: StoredModel, old: CacheFooter) -> bool:
    """Return whether windows were added or deleted since the cache was written."""
    return window_reading.last_window(connection, model.id) > old.covers or bool(
        window_reading.dead_windows(connection, old.generation)
    )


def _write(
    directory: Path,
    connection: Connection,
    model: StoredModel,
    old: CacheFooter | None,
    generation: int,
) -> CacheFooter:
    count = window_reading.count_windows(connection, model.id)
    kind = kinds.kind_for(count)
    index, after, trained = None, 0, 0
    if old and old.kind == kind and (kind == "flat" or count <= old.trained_on * _RETRAIN_GROWTH):
        try:
            index = read_cache(directory, old, writable=True)
            dead = np.array(window_reading.dead_windows(connection, old.generation), dtype=np.int64)
            kinds.remove(index, dead)
            after, trained = old.covers, old.trained_on
        except CacheUnusable as reason:
            log.warning("the vector cache of %s is built anew: %s", directory, reason)
    if index is None:
        index, trained = kinds.empty_index(kind, model.dimension, count), count
        if kind == "ivf":
            index.train(_training_vectors(connection, model, count))
    new = window_reading.vectors_after(connection, model.id, after)
    kinds.add(index, batches(new, model.dimension))
    footer = CacheFooter(
        library_id=reading.get_meta(connection, "library_id") or "",
        model=model.digest,
        kind=kind,
        dimension=model.dimension,
        count=index.ntotal,
        covers=max(after, window_reading.last_window(connection, model.id)),
        generation=generation,
        trained_on=trained,
    )
    return write_cache(directory, index, footer)


def _training_vectors(connection: Connection, model: StoredModel, count: int) -> np.ndarray:
    """Return `count` windows for training, evenly spread: the same ones for the same library."""
    step = max(1, count // kinds.training_size(count))
    rows: Iterator[bytes] = (
        row[0]
        for row in connection.execute(
            select(windows.c.vector)
            .where(windows.c.model_id == model.id, windows.c.id % step == 0)
            .order_by(windows.c.id)
        )
    )
    return from_blobs(rows, model.dimension)
