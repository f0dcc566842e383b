"""The index over a model's vectors in PostgreSQL: pgvector's HNSW. Only the writer makes it, while it
holds the lock.

PostgreSQL keeps it up to date with every row, so it is made once, when a model has many windows:
at the end of a run, since rows go in many times as fast before (`scripts.bench.postgres`).
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, delete, select, text, update
from sqlalchemy.exc import OperationalError

from audiosearch.catalog import reading
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import meta, models, tombstones
from audiosearch.vectors.pgvector_search import INDEX_FROM, has_index, index_name, indexed_vector

log = logging.getLogger(__name__)

# Memory for a vector and its links. With less than the whole takes, making the index slows down; it
# never takes more than this by itself, and an administrator may give more.
_LINK_BYTES = 400
_MOST_MEMORY_KIB = 1 << 20

# SQLSTATE of what a server in a small container says: its shared memory is full.
_DISK_FULL = "53100"


def renew_index(engine: Engine, model: StoredModel) -> bool:
    """Make the index where the model has enough windows and none, and return whether it did.

    Indexes of models that are gone go, and tombstones too: nobody reads an older state than the
    database shows.
    """
    with engine.begin() as connection:
        _drop_others(connection)
        floor = str(reading.generation(connection))
        connection.execute(update(meta).where(meta.c.key == "tombstone_floor").values(value=floor))
        connection.execute(delete(tombstones))
        count = reading.count_allowed_windows(connection, None, model.id)
        if count < INDEX_FROM or has_index(connection, model.id):
            return False
        log.info("indexing %d vectors", count)
        _make(connection, model, count)
        # The planner weighs the index by what it knows of the tables.
        connection.execute(text("ANALYZE windows, embeddings, contents, sounds"))
    return True


def _make(connection: Connection, model: StoredModel, count: int) -> None:
    need = min(count * (2 * model.dimension + _LINK_BYTES) // 1024, _MOST_MEMORY_KIB)
    statement = (
        f"CREATE INDEX {index_name(model.id)} ON windows "
        f"USING hnsw ({indexed_vector(model.dimension)} halfvec_ip_ops) WHERE model_id = {model.id}"
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


def _drop_others(connection: Connection) -> None:
    kept = {index_name(row[0]) for row in connection.execute(select(models.c.id))}
    query = text(
        "SELECT relname FROM pg_class WHERE relkind = 'i' AND relname LIKE 'windows_hnsw_%' "
        "AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'windows'::regclass)"
    )
    for name in {row[0] for row in connection.execute(query)} - kept:
        connection.execute(text(f"DROP INDEX {name}"))
