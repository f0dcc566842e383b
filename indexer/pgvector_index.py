"""The indexes over a model's vectors in PostgreSQL: pgvector's HNSW. Only the writer makes them, while
it holds the lock.

PostgreSQL keeps an index up to date with every row, and that is slow: in a library of 20,000 windows a
row that goes into the index costs six times the processor time that it costs to index all rows at
once (`scripts.bench.postgres`). Each index is therefore over a range of ids that ends some way after
the last window. A few new windows take these ids and go into the index one by one. Many begin after
them (`keep_apart`): searches compare these, until they are enough for an index of their own. Where
there would be too many indexes, or where the last is smaller than what comes, a new one takes its
place.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.exc import OperationalError

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import meta, models, tombstones, windows
from audiosearch.vectors.pgvector_search import (
    INDEX_FROM,
    Range,
    index_names,
    indexed_ranges,
    indexed_vector,
)
from indexer.meta import next_generation

log = logging.getLogger(__name__)

# Memory for a vector and its links. With less than the whole takes, making the index slows down; it
# never takes more than this by itself, and an administrator may give more.
_LINK_BYTES = 400
_MOST_MEMORY_KIB = 1 << 20

# SQLSTATE of what a server in a small container says: its shared memory is full.
_DISK_FULL = "53100"
_LOCK_NOT_AVAILABLE = "55P03"

# Each search walks all indexes, and compares the windows without one: of half as many as the first
# index is made for that costs as much processor time as a walk (`scripts.bench.postgres`).
MOST_INDEXES = 3
_APART = 2
# A range ends so far after its last window: a quarter of all windows may be added one by one.
_ROOM = 4


def renew_index(engine: Engine, model: StoredModel, *, more: bool = False) -> bool:
    """Index the windows after the last range, where they are enough, and return whether they were.

    Where `more` windows follow at once, the range ends with the last window. Indexes of models that
    are gone go, and tombstones too: nobody reads an older state than the database shows.
    """
    made = False
    with engine.begin() as connection:
        floor = str(reading.generation(connection))
        connection.execute(update(meta).where(meta.c.key == "tombstone_floor").values(value=floor))
        connection.execute(delete(tombstones))
        kept = list(indexed_ranges(connection, model.id))
        count = _count(connection, model.id, kept[-1].upto if kept else 0)
        if count >= (INDEX_FROM // _APART if kept else INDEX_FROM):
            while kept:
                last = kept[-1]
                size = _count(connection, model.id, last.after) - count
                if len(kept) < MOST_INDEXES and size >= count:
                    break
                count += size
                kept.pop()
            total = window_reading.count_allowed_windows(connection, None, model.id)
            room = 0 if more else max(INDEX_FROM, total // _ROOM)
            last_window = window_reading.last_window(connection, model.id)
            kept.append(Range(kept[-1].upto if kept else 0, last_window + room))
            log.info("indexing %d vectors", count)
            _make(connection, model, kept[-1], count)
            next_generation(connection)  # readers look for the indexes of a new state
            # The planner weighs an index by what it knows of the tables.
            connection.execute(text("ANALYZE windows, embeddings, contents, sounds"))
            made = True
        names = {part.index_name(model.id) for part in kept}
    _drop_others(engine, model.id, names)
    return made


def keep_apart(engine: Engine, model_id: int) -> None:
    """Let the next windows begin after the ranges of a model's indexes."""
    with engine.begin() as connection:
        ranges = indexed_ranges(connection, model_id)
        if ranges:
            connection.execute(
                text(
                    "SELECT setval(id, :upto) "
                    "FROM (SELECT pg_get_serial_sequence('windows', 'id')::regclass AS id) AS ids "
                    "WHERE coalesce(pg_sequence_last_value(id), 0) < :upto"
                ),
                {"upto": ranges[-1].upto},
            )


def _count(connection: Connection, model_id: int, after: int) -> int:
    """Return the number of a model's windows with ids above `after`."""
    query = select(func.count()).where(windows.c.model_id == model_id, windows.c.id > after)
    return connection.execute(query).scalar_one()


def _make(connection: Connection, model: StoredModel, part: Range, count: int) -> None:
    need = min(count * (2 * model.dimension + _LINK_BYTES) // 1024, _MOST_MEMORY_KIB)
    statement = (
        f"CREATE INDEX {part.index_name(model.id)} ON windows "
        f"USING hnsw ({indexed_vector(model.dimension)} halfvec_ip_ops) "
        f"WHERE model_id = {model.id} AND id > {part.after} AND id <= {part.upto}"
    )
    connection.execute(
        text(
            "SELECT set_config('maintenance_work_mem', :need || 'kB', true) "
            "WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < :need * 1024"
        ),
        {"need": need},
    )
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _DISK_FULL:
            raise
        # Several processes share the memory; one alone takes it from its own.
        log.info("indexing in one process: %s", error.orig)
        connection.execute(text("SET LOCAL max_parallel_maintenance_workers = 0"))
        connection.execute(text(statement))


def _drop_others(engine: Engine, model_id: int, names: set[str]) -> None:
    """Drop the indexes of models that are gone, and those of this one that are not among `names`.

    Readers search on meanwhile. Where one of them takes very long, the index stays until next time.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        others = [row[0] for row in connection.execute(select(models.c.id)) if row[0] != model_id]
        for name in index_names(connection):
            of_others = any(name.startswith(f"windows_hnsw_{other}_") for other in others)
            if name in names or of_others:
                continue
            try:
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                    raise
                log.info("the index %s stays for now: %s", name, error.orig)
