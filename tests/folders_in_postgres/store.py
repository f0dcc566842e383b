"""`SqliteStore` for tests over PostgreSQL: the library of a folder is in a schema (see `finder`).

The file `schema` in the folder names the schema, and the folder that it was made for. A folder that
was copied has the file of another: its schema is copied when it is first used.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from audiosearch.catalog.postgres_address import PostgresAddress, read_address
from audiosearch.catalog.postgres_store import PostgresStore
from audiosearch.errors import LibraryReadOnly

_FILE = "schema"


class SqliteStore(PostgresStore):
    """The library that a folder stands for."""

    def __init__(self, directory: Path, holder: int | None = None) -> None:
        object.__setattr__(self, "folder", directory)
        object.__setattr__(self, "holder", holder)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqliteStore) and other.directory == self.directory

    def __hash__(self) -> int:
        return hash(self.directory)

    @property
    def directory(self) -> Path:
        return self.__dict__["folder"]

    @property
    def name(self) -> str:
        return str(self.directory)

    @property
    def address(self) -> PostgresAddress:
        return replace(read_address(os.environ["FOLDERS_IN_POSTGRES"]), schema=self._schema())

    def _held_by(self, holder: int) -> SqliteStore:
        return SqliteStore(self.directory, holder)

    def _schema(self) -> str:
        file, here = self.directory / _FILE, str(self.directory.absolute())
        try:
            schema, _, owner = file.read_text(encoding="utf-8").partition("\n")
        except OSError:
            return "folders_without_library"
        if owner != here:
            fresh = f"folder_{secrets.token_hex(8)}"
            _note(file, fresh, here)
            _copy_schema(self, schema, fresh)
            return fresh
        return schema

    def make(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            file = self.directory / _FILE
            if not file.exists():
                _note(file, f"folder_{secrets.token_hex(8)}", str(self.directory.absolute()))
        except OSError as error:
            raise LibraryReadOnly(
                f"cannot make the library {self.name}: {error.strerror or error}"
            ) from error


def _note(file: Path, schema: str, owner: str) -> None:
    fresh = file.with_name(f".schema.{os.getpid()}")
    fresh.write_text(f"{schema}\n{owner}", encoding="utf-8")
    fresh.replace(file)


def _copy_schema(store: SqliteStore, old: str, new: str) -> None:
    """Copy every table; the new schema gets its tables as any new library does."""
    from audiosearch.catalog import migrations

    engine = store.writer(create=True)
    try:
        migrations.migrate(engine, store.name)
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            query = text("SELECT tablename FROM pg_tables WHERE schemaname = :s ORDER BY tablename")
            names = connection.execute(query, {"s": old}).scalars().all()
            connection.execute(text(f"TRUNCATE {', '.join(f'{new}.{name}' for name in names)}"))
            for name in names:
                _copy_table(connection, f"{old}.{name}", f"{new}.{name}", name)
    finally:
        engine.dispose()


def _copy_table(connection: Any, old: str, new: str, name: str) -> None:
    query = text(
        "SELECT attname, pg_get_serial_sequence(:n, attname) AS numbers FROM pg_attribute WHERE "
        "attrelid = CAST(:n AS regclass) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    )
    columns = connection.execute(query, {"n": new}).all()
    listed = ", ".join(f'"{column.attname}"' for column in columns)
    connection.execute(text(f"INSERT INTO {new} ({listed}) SELECT {listed} FROM {old}"))
    for column in columns:
        if column.numbers:
            highest = f'(SELECT max("{column.attname}") FROM {new})'
            connection.execute(
                text(f"SELECT setval('{column.numbers}', {highest}) WHERE {highest} IS NOT NULL")
            )
