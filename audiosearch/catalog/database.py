"""Connections to `library.db`: how it is opened, its pragmas, and read-only disks.

Transactions are explicit. A reader's `begin()` is a snapshot (BEGIN). A writer's `begin()` takes
the write lock at once (BEGIN IMMEDIATE), so that the rows that it has read cannot change before it
writes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from audiosearch.catalog import folding
from audiosearch.errors import (
    AudioSearchError,
    LibraryBusy,
    LibraryDamaged,
    LibraryNotFound,
    LibraryReadOnly,
)

DATABASE = "library.db"

# A writer's transaction lasts milliseconds. A checkpoint of a large log lasts some seconds.
_BUSY_SECONDS = 30
# Three float16 vectors of 512 values fill a 4 KiB page badly; 8 KiB holds seven.
_PAGE_BYTES = 8192
# SQLite's own cache in KiB: enough for the inner pages of a million windows.
_CACHE_KIB = 32 * 1024


def _uri(path: Path, mode: str) -> str:
    return "file:" + quote(os.fsencode(path.absolute())) + "?" + mode


def _engine(path: Path, mode: str, begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            _uri(path, mode),
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,  # transactions are ours, not the driver's
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        try:
            folding.register(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # a reported commit is on the disk
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA cell_size_check = ON")  # finds damaged pages earlier
        except UnicodeDecodeError as error:  # in SQLite's own message about a damaged schema
            raise sqlite3.DatabaseError("its schema is damaged") from error
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=-1
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _missing(directory: Path) -> LibraryNotFound:
    return LibraryNotFound(
        f"no library at {directory}: make one with: audiosearch index FOLDER -L {directory}"
    )


def _read(engine: Engine, directory: Path) -> None:
    """Read the schema. It is empty where a program was killed while it made the library, or makes it."""
    with engine.connect() as connection:
        if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
            raise _missing(directory)


def reader(directory: Path) -> Engine:
    """Return an engine that cannot write. It works on a read-only disk too.

    Raises `LibraryNotFound` where there is no database, or an empty one, and `LibraryDamaged` where
    it cannot be read.
    """
    path = directory / DATABASE
    if not path.is_file():
        raise _missing(directory)
    engine = _engine(path, "mode=ro", "BEGIN")
    try:
        _read(engine, directory)
        return engine
    except OperationalError as error:
        # SQLite must write the -shm file of a WAL database even to read it. On a read-only disk
        # nobody writes, so SQLite may read the file as it stands, but only if no unmerged log lies
        # beside it.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise LibraryDamaged(
                f"cannot read {path}: {error.orig}; its -wal file holds changes that a read-only disk "
                "does not let in: open it once where it can be written"
            ) from error
    except DatabaseError as error:
        raise library_error(error, path) from error
    engine.dispose()
    engine = _engine(path, "mode=ro&immutable=1", "BEGIN")
    try:
        _read(engine, directory)
    except DatabaseError as error:
        raise library_error(error, path) from error
    return engine


def writer(directory: Path, *, create: bool = False) -> Engine:
    """Return an engine for the one writer, which holds the writer's lock (see `indexer.lock`)."""
    path = directory / DATABASE
    if not create and not path.is_file():
        raise _missing(directory)
    mode = "mode=rwc" if create else "mode=rw"
    try:
        with closing(sqlite3.connect(_uri(path, mode), uri=True, timeout=_BUSY_SECONDS)) as first:
            first.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # only a new file takes it
            first.execute("PRAGMA journal_mode = WAL")  # readers are never blocked
    except sqlite3.DatabaseError as error:
        raise library_error(error, path) from error
    return _engine(path, mode, "BEGIN IMMEDIATE")


def merge_log(engine: Engine) -> None:
    """Merge the write-ahead log into the database, so that the file can be copied, or read on a
    read-only disk.

    The log stays where it is while a reader uses it; the next run merges it.
    """
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def library_error(error: Exception, path: Path) -> AudioSearchError:
    """Return SQLite's error (damaged, locked, full, read-only) as an `AudioSearchError` with its
    remedy.
    """
    reason = getattr(error, "orig", None) or error
    text = str(reason).partition("\n")[0]  # SQLite quotes the whole of a damaged schema
    if not isinstance(reason, sqlite3.OperationalError):
        return LibraryDamaged(
            f"the library's database {path} is damaged ({text}): "
            f"see audiosearch doctor -L {path.parent}"
        )
    if "locked" in text or "busy" in text:
        return LibraryBusy(f"the database {path} is locked by another program: try again later")
    if "readonly" in text or "unable to open" in text:
        return LibraryReadOnly(f"cannot write the library {path.parent}: {text}")
    if "full" in text:
        return LibraryReadOnly(f"cannot write the library {path.parent}: the disk is full")
    return LibraryDamaged(f"the database {path} cannot be used: {text}")


@contextmanager
def translating(directory: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into errors of audiosearch."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise library_error(error, directory / DATABASE) from error
