"""The numbered migrations of the schema. One transaction applies each of them and records it in a
row.

Nobody edits a released migration: a change of the schema is a new function at the end of
`MIGRATIONS`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, insert, inspect, select, text

from audiosearch.catalog import (
    changes,
    collections,
    fingerprints,
    folder_options,
    heads,
    schema,
    ucs,
    words,
)
from audiosearch.catalog.dialect import POSTGRESQL
from audiosearch.errors import LibraryTooNew


def _m001_create_tables(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    connection.execute(
        insert(schema.meta),
        [
            {"key": "library_id", "value": uuid.uuid4().hex},
            {"key": "generation", "value": "0"},
            {"key": "tombstone_floor", "value": "0"},
        ],
    )


def _m002_notices(connection: Connection) -> None:
    """Add the notices that say where header and file disagree.

    The migration also forgets failures, so that the next run reads those files once more: this
    version may read what an older one could not.
    """
    columns = [column["name"] for column in inspect(connection).get_columns("contents")]
    if "notices" not in columns:  # a new library gets its tables as they are today
        connection.execute(
            text("ALTER TABLE contents ADD COLUMN notices TEXT NOT NULL DEFAULT '[]'")
        )
    connection.execute(
        text(
            "UPDATE sounds SET mtime_ns = mtime_ns - 1 WHERE id IN (SELECT sound_id FROM failures)"
        )
    )


def _m003_index_words(connection: Connection) -> None:
    words.create_table(connection)


def _m004_note_changes(connection: Connection) -> None:
    changes.create_table(connection)


def _m005_remember_folder_options(connection: Connection) -> None:
    folder_options.create_table(connection)


def _m006_loudness(connection: Connection) -> None:
    """Add loudness and peak, null until a file is read again."""
    columns = [column["name"] for column in inspect(connection).get_columns("contents")]
    for name in ("loudness", "peak"):
        if name not in columns:
            connection.execute(text(f"ALTER TABLE contents ADD COLUMN {name} FLOAT"))


def _m007_collections(connection: Connection) -> None:
    collections.create_tables(connection)


def _m008_fingerprints(connection: Connection) -> None:
    fingerprints.create_table(connection)


def _m009_ucs_names(connection: Connection) -> None:
    ucs.create_tables(connection)


def _m010_keep_heads(connection: Connection) -> None:
    heads.create_table(connection)


def _m011_keep_ucs_choices(connection: Connection) -> None:
    ucs.add_choices(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _m001_create_tables,
    _m002_notices,
    _m003_index_words,
    _m004_note_changes,
    _m005_remember_folder_options,
    _m006_loudness,
    _m007_collections,
    _m008_fingerprints,
    _m009_ucs_names,
    _m010_keep_heads,
    _m011_keep_ucs_choices,
)
SCHEMA_VERSION = len(MIGRATIONS)


def schema_version(connection: Connection) -> int:
    """Return the number of the last migration applied; 0 for a new database."""
    if not inspect(connection).has_table("migrations"):
        return 0
    return connection.execute(select(func.max(schema.migrations.c.number))).scalar() or 0


def check_version(connection: Connection, where: str) -> int:
    """Return the schema's version. Raises `LibraryTooNew` where this program does not know it."""
    version = schema_version(connection)
    if version > SCHEMA_VERSION:
        raise LibraryTooNew(
            f"the library {where} has schema {version}, newer than this audiosearch knows "
            f"({SCHEMA_VERSION}): upgrade audiosearch (pip install -U audiosearch)"
        )
    return version


def migrate(engine: Engine, where: str) -> None:
    """Bring a database, new or old, to `SCHEMA_VERSION`: a new one, and any in PostgreSQL, in one
    transaction, so that no half of a library is ever seen.
    """
    with engine.connect() as connection:
        version = check_version(connection, where)
    if version < SCHEMA_VERSION and (not version or engine.dialect.name == POSTGRESQL):
        with engine.begin() as connection:  # another program may have been first
            for number in range(check_version(connection, where) + 1, SCHEMA_VERSION + 1):
                _apply(connection, number)
        return
    for number in range(version + 1, SCHEMA_VERSION + 1):
        with engine.begin() as connection:
            _apply(connection, number)


def _apply(connection: Connection, number: int) -> None:
    step = MIGRATIONS[number - 1]
    step(connection)
    connection.execute(
        insert(schema.migrations).values(
            number=number,
            name=step.__name__.lstrip("_"),
            applied_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )
