"""The copy of a library, without embedding again: from a folder into PostgreSQL, back, or from one
place of a kind to another.

Rows keep their ids. The large tables go in batches, a transaction each, so that a copy that ended
early goes on where it was; the small ones follow in one transaction, and with them the name of the
model: before that, the copy answers no query. Then both are read once more, and compared.
What is made from other tables (words, forms of paths, the vector cache or index) is made anew. What
lies beside the database (keys, jobs, pictures of sounds) is not part of the copy.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text, tuple_

from audiosearch.catalog import (
    changes,
    collections,
    fingerprints,
    folder_options,
    heads,
    migrations,
    reading,
    schema,
    ucs,
)
from audiosearch.catalog.dialect import follow_ids, on_postgresql, portable, upsert
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.catalog.words import index_words
from audiosearch.errors import InvalidQuery, LibraryDamaged
from indexer.cache import renew_cache
from indexer.lock import writing
from indexer.meta import set_meta
from indexer.store import create_library

log = logging.getLogger(__name__)

# Rows of parents come before those that refer to them.
_FIRST = (schema.models, schema.roots)
_LARGE = (
    schema.contents,
    fingerprints.fingerprints,
    schema.embeddings,
    schema.windows,
    schema.sounds,
)
_SMALL = (
    schema.failures,
    folder_options.folder_options,
    ucs.categories,
    ucs.kept,
    ucs.names,
    collections.collections,
    collections.collected,
    collections.saved_searches,
    heads.heads,
    changes.changes,
)
_ALL = (*_FIRST, *_LARGE, *_SMALL)

# 2,000 windows of 512 numbers take 2 MB; a kill loses at most one batch.
_BATCH = 2_000

# What a library has of its own.
_OWN_META = ("library_id", "generation", "tombstone_floor")
# The row of `meta` in a copy that is not complete: what it is a copy of.
_COPYING = "copying"


@dataclass(frozen=True)
class CopyProgress:
    """`done` of `total` rows are in the copy, or are compared where `step` is ``compare``."""

    step: str
    done: int
    total: int


@dataclass(frozen=True)
class Copied:
    """The rows of a copy that was compared with its source."""

    sounds: int
    contents: int
    windows: int


def copy_library(
    source: Address, target: Address, on_progress: Callable[[CopyProgress], None] | None = None
) -> Copied:
    """Copy a library to another address, and compare both.

    Where an earlier copy of the same state ended early, this one goes on; where the source changed
    since, it begins anew. Raises `InvalidQuery` where the target holds another library,
    `LibraryDamaged` where both differ in the end, and the errors of either database.
    """
    old, new = store_at(source), store_at(target)
    if old == new:
        raise InvalidQuery(f"a library cannot be copied onto itself: {old.name}")
    reader = CatalogReader(old)
    try:
        with reader.snapshot() as origin:
            if not new.exists():
                create_library(new)
            with writing(new) as engine:
                migrations.migrate(engine, new.name)
                return _Copy(origin, engine, new, on_progress or (lambda progress: None)).run()
    finally:
        reader.close()


@dataclass(frozen=True)
class _Copy:
    origin: Connection
    engine: Engine
    store: Store
    tell: Callable[[CopyProgress], None]

    def run(self) -> Copied:
        self._begin()
        total = sum(_count(self.origin, table) for table in _ALL)
        done = 0
        for table in _LARGE:
            done += self._resume(table, done, total)
        self._finish()
        self._compare(total)
        with self.engine.connect() as connection:
            active = reading.active_model(connection)
        if active:
            renew_cache(self.store.directory, self.engine, active)
        return Copied(
            *(_count(self.origin, t) for t in (schema.sounds, schema.contents, schema.windows))
        )

    def _begin(self) -> None:
        state = json.dumps(
            {
                "library_id": reading.get_meta(self.origin, "library_id"),
                "generation": reading.generation(self.origin),
            }
        )
        with self.engine.begin() as connection:
            earlier = reading.get_meta(connection, _COPYING)
            if earlier is None and any(
                _count(connection, table) for table in (schema.roots, schema.models)
            ):
                raise InvalidQuery(
                    f"{self.store.name} holds a library already: copy into a new folder, or into "
                    "another schema (?schema=NAME)"
                )
            if earlier != state:
                if earlier is not None:
                    log.warning("the library changed since its copy began: the copy begins anew")
                _clear(connection)
            set_meta(connection, _COPYING, state)
            for table in _FIRST:
                rows = [dict(row._mapping) for row in self.origin.execute(select(table))]
                if rows:
                    connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows)

    def _resume(self, table: Table, before: int, total: int) -> int:
        """Copy the rows that the copy lacks: those with higher keys than it has."""
        with self.engine.connect() as connection:
            done = _count(connection, table)
            key = list(table.primary_key)
            highest = select(*key).order_by(*(column.desc() for column in key)).limit(1)
            after = connection.execute(highest).first()
        self.tell(CopyProgress("copy", before + done, total))
        for batch in _batches(self.origin, table, after):
            with self.engine.begin() as connection:
                connection.execute(insert(table), batch)
                if table is schema.sounds:
                    index_words(connection, [row["id"] for row in batch])
            done += len(batch)
            self.tell(CopyProgress("copy", before + done, total))
        return done

    def _finish(self) -> None:
        """Copy the small tables, and let the model answer."""
        with self.engine.begin() as connection:
            for table in reversed(_SMALL):  # what the triggers noted of these sounds, and the rest
                connection.execute(delete(table))
            for table in _SMALL:
                for batch in _batches(self.origin, table, None):
                    connection.execute(insert(table), batch)
            _continue_ids(connection)
            for row in self.origin.execute(select(schema.meta)):
                if row.key not in _OWN_META:
                    set_meta(connection, row.key, row.value)
            set_meta(connection, "generation", reading.generation(connection) + 1)
            set_meta(connection, _COPYING, None)

    def _compare(self, total: int) -> None:
        done = 0
        with self.engine.connect() as connection:
            for table in _ALL:
                ours, theirs = _digest(self.origin, table), _digest(connection, table)
                if ours != theirs:
                    raise LibraryDamaged(
                        f"the copy {self.store.name} differs from its source in the table {table.name} "
                        f"({theirs[0]} rows for {ours[0]}): remove it, and copy again"
                    )
                done += ours[0]
                self.tell(CopyProgress("compare", done, total))


def _clear(connection: Connection) -> None:
    for table in reversed(_ALL):
        connection.execute(delete(table))
    connection.execute(portable("DELETE FROM words"))


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _batches(
    connection: Connection, table: Table, after: Sequence[object] | None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows with keys above `after`, ascending, in batches."""
    key = list(table.primary_key)
    while True:
        query = select(table).order_by(*key).limit(_BATCH)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        batch = [dict(row._mapping) for row in connection.execute(query)]
        if not batch:
            return
        yield batch
        after = tuple(batch[-1][column.name] for column in key)


def _digest(connection: Connection, table: Table) -> tuple[int, bytes]:
    """Return the number of rows of a table, and a digest of them in the order of their keys."""
    digest, count = blake2b(digest_size=16), 0
    for batch in _batches(connection, table, None):
        for row in batch:
            digest.update(repr(tuple(row.values())).encode("utf-8", "backslashreplace"))
        count += len(batch)
    return count, digest.digest()


def _continue_ids(connection: Connection) -> None:
    """Give no id again that a sound had, also one that was removed: clients may hold it."""
    follow_ids(
        connection,
        *(*_FIRST, schema.contents, schema.windows, schema.sounds, changes.changes),
        *(collections.collections, collections.saved_searches, heads.heads),
    )
    highest = connection.execute(select(func.max(changes.changes.c.sound_id))).scalar() or 0
    if on_postgresql(connection):
        sequence = func.pg_get_serial_sequence("sounds", "id")
        if highest:
            connection.execute(select(func.setval(sequence, highest)))
    else:
        connection.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :highest) WHERE name = 'sounds'"),
            {"highest": highest},
        )
