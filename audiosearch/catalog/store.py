"""The store of a library: the one database that holds the truth about it.

A folder holds a library in SQLite (`sqlite_store`), a schema of a server's database one in
PostgreSQL (`postgres_store`). The functions that need a database take a
`Store`, and know neither its kind nor where it is.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import Engine

from audiosearch.errors import AudioSearchError
from audiosearch.paths import is_address, user_path

Role = Literal["writer", "watcher"]


class Store(Protocol):
    """The database of one library. It holds no connection, and compares by value.

    `directory` is the folder of what lies beside the database: keys, jobs, pictures, the vector
    cache. `name` is what people see, and what `-L` takes; `database` is the same for messages about
    the database itself. Neither holds a password.
    """

    @property
    def directory(self) -> Path: ...

    @property
    def name(self) -> str: ...

    @property
    def database(self) -> str: ...

    def exists(self) -> bool:
        """Return whether there is a database, of whatever content."""

    def make(self) -> None:
        """Make the place for an empty database. Raises `LibraryReadOnly`."""

    def reader(self) -> Engine:
        """Return an engine that cannot write, and whose transactions are snapshots.

        Raises `LibraryNotFound` where there is no database, `LibraryDamaged` where it cannot be
        read.
        """

    def writer(self, *, create: bool = False) -> Engine:
        """Return an engine whose transactions exclude each other from their first statement on.

        Raises `LibraryNotFound`, and `LibraryReadOnly` where the database cannot be written.
        """

    def lock(
        self, wait: float | None = 0.0, role: Role = "writer"
    ) -> AbstractContextManager[Store]:
        """Be the one program in this `role`, and get the store as its holder uses it.

        The wait for the lock lasts at most `wait` seconds; `None` is for ever. The lock ends with
        its process. Raises `LibraryBusy`, naming the holder, or `LibraryReadOnly`.
        """

    def translating(self) -> AbstractContextManager[None]:
        """Turn the database's errors inside the block into errors of audiosearch."""

    def error(self, error: Exception) -> AudioSearchError:
        """Return an error of the database as an error of audiosearch, with its remedy."""

    def merge_log(self, engine: Engine) -> None:
        """Leave the database as a copy of its files, or a read-only disk, needs it."""

    def size(self) -> int:
        """Return the bytes of the database; 0 where they cannot be counted."""


Address = Store | str | os.PathLike[str]


def store_at(where: Address) -> Store:
    """Return the store at an address: a folder, ``postgresql://...``, or a store itself.

    Raises `InvalidQuery` for an empty string, and for an address that cannot be read.
    """
    from audiosearch.catalog.sqlite_store import SqliteStore

    if isinstance(where, str) and is_address(where):
        from audiosearch.catalog.postgres_address import read_address
        from audiosearch.catalog.postgres_store import PostgresStore

        return PostgresStore(read_address(where))
    if isinstance(where, str | os.PathLike):
        return SqliteStore(user_path(where))
    return where
