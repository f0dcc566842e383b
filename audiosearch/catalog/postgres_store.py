"""A library in PostgreSQL: its tables are in one schema of a database, its locks are the server's.

A reader's transaction is a snapshot (REPEATABLE READ, read-only). A writer's begins with a lock on
the row of the generation, as SQLite's does with the one on the file, so that writers exclude each
other. The lock of a role is an advisory lock of a session of its own: it ends with its process, or
with its connection, and then the holder's next transaction fails before it writes anything.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from audiosearch.catalog import vector_type
from audiosearch.catalog.postgres_address import PostgresAddress
from audiosearch.catalog.postgres_driver import driver, postgres_error, unreachable
from audiosearch.catalog.store import Role
from audiosearch.errors import (
    AudioSearchError,
    LibraryBusy,
    LibraryDamaged,
    LibraryNotFound,
    LibraryReadOnly,
    LibraryUnreachable,
)

LEAST_SERVER = 16
LEAST_VECTOR = (0, 8)

# A writer's transaction lasts milliseconds, that of an index of vectors minutes.
_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
# Where pgvector's type may be, beside the library's own schema: "extensions" is some providers' way.
_PATH = ("public", "extensions")

_HELD = (
    "FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid = %(high)s::bigint AND objid = %(low)s::bigint"
)

# ms. The lock of a session that ended, or of a process that was killed, is held until the server
# notices; on a busy machine that takes a moment.
_FREED_AFTER = 3_000


@dataclass(frozen=True)
class PostgresStore:
    """The library at an address; see `audiosearch.catalog.store.Store`. `holder` is the server's
    process whose session holds the writer's lock, if this program has it.
    """

    address: PostgresAddress
    holder: int | None = None

    @property
    def directory(self) -> Path:
        """The folder of keys, jobs and pictures, made when something is put there."""
        return self.address.files

    @property
    def name(self) -> str:
        """The address without its password."""
        return self.address.name

    @property
    def database(self) -> str:
        """The address without its password, and the schema in it."""
        return f"the schema {self.address.schema} of {self.name}"

    def exists(self) -> bool:
        """Return whether the schema holds a library. Raises `LibraryDamaged` where it holds something
        else, `LibraryUnreachable`.
        """
        with self._session() as session:
            return self._holds_library(session)

    def make(self) -> None:
        """There is no place to make: `writer` makes the schema."""

    def reader(self) -> Engine:
        """Return an engine that cannot write."""
        with self._session() as session:
            if not self._holds_library(session):
                raise self._missing()
            self._check_version(session)
            self._check_pgvector(session)
        return self._engine(read_only=True)

    def writer(self, *, create: bool = False) -> Engine:
        """Return an engine that writes. With `create` the schema and the extension are made."""
        with self._session() as session:
            if not create and not self._holds_library(session):
                raise self._missing()
            self._check_version(session)
            if create:
                self._make_schema(session)
            self._check_pgvector(session)
        engine = self._engine()
        if create:
            first = f"SELECT pg_advisory_xact_lock({_key('creation', self.address.schema)})"
        else:
            first = "SELECT value FROM meta WHERE key = 'generation' FOR UPDATE"

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(first)
            if self.holder is not None:
                lock = {**_halves(self._key("writer")), "pid": self.holder}
                held = f"SELECT 1 {_HELD} AND pid = %(pid)s"
                if connection.exec_driver_sql(held, lock).first() is None:
                    raise LibraryUnreachable(
                        f"the connection that held the writer's lock of {self.name} was lost: what "
                        "was committed is kept; run the command again"
                    )

        return engine

    @contextmanager
    def lock(self, wait: float | None = 0.0, role: Role = "writer") -> Iterator[PostgresStore]:
        """Hold the lock of that role by a session of its own."""
        psycopg = driver()
        key = self._key(role)
        with self._session() as session:
            limit = 0 if wait is None else max(_FREED_AFTER, round(wait * 1000))
            session.execute(f"SET lock_timeout = {limit}")
            try:
                session.execute("SELECT pg_advisory_lock(%s)", [key])
            except psycopg.errors.LockNotAvailable as error:
                raise LibraryBusy(self._busy(session, role)) from error
            yield self._held_by(session.info.backend_pid) if role == "writer" else self

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn PostgreSQL's errors inside the block into errors of audiosearch."""
        psycopg = driver()
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            raise self.error(error) from error

    def error(self, error: Exception) -> AudioSearchError:
        """Return PostgreSQL's error with its remedy."""
        return postgres_error(error, self.name)

    def merge_log(self, engine: Engine) -> None:
        """There is no log to merge: the server keeps its own."""

    def size(self) -> int:
        """Return the bytes of the schema's tables and indexes."""
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
        )
        with self._session() as session:
            row = session.execute(query, [self.address.schema]).fetchone()
        return int(row[0]) if row else 0

    # -- connections --------------------------------------------------------------------------

    def _parameters(self, options: str = "") -> dict[str, Any]:
        given = dict(self.address.parameters)
        path = ",".join((self.address.schema, *_PATH))
        own = f"-c search_path={path} {options}"
        return {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": f"audiosearch {os.getpid()} on {socket.gethostname()}"[:63],
            **given,
            "options": f"{given.get('options', os.environ.get('PGOPTIONS', ''))} {own}".strip(),
        }

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """A connection outside of any transaction, for what needs no engine."""
        psycopg = driver()
        try:
            session = psycopg.connect(**self._parameters(), autocommit=True)
        except psycopg.Error as error:
            raise unreachable(error, self.name) from None
        try:
            yield session
        except psycopg.Error as error:
            raise self.error(error) from error
        finally:
            session.close()

    def _engine(self, *, read_only: bool = False) -> Engine:
        psycopg = driver()
        options = "" if read_only else f"-c lock_timeout={_BUSY_SECONDS * 1000}"
        parameters = self._parameters(options)

        def connect() -> Any:
            try:
                connection = psycopg.connect(**parameters)
            except psycopg.Error as error:
                raise unreachable(error, self.name) from None
            vector_type.prepare(connection)
            if read_only:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
            return connection

        return create_engine(
            "postgresql+psycopg://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=-1,
            pool_pre_ping=True,  # the server may have been started anew since
            use_native_hstore=False,  # one more question for each connection
        )

    # -- what the server holds ----------------------------------------------------------------

    def _missing(self) -> LibraryNotFound:
        return LibraryNotFound(
            f"no library at {self.name}: make one with: audiosearch index FOLDER -L {self.name}"
        )

    def _holds_library(self, session: Any) -> bool:
        """Return whether the schema holds a library; it does not where it is empty or not there."""
        schema = self.address.schema
        query = (
            "SELECT c.relname, has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n "
            "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass "
            "AND objid = c.oid AND deptype = 'e') WHERE n.nspname = %s"
        )
        rows = session.execute(query, [schema]).fetchall()
        tables = {row[0] for row in rows if row[0]}
        if not tables:
            return False
        if not {"meta", "migrations", "sounds", "windows"} <= tables:
            raise LibraryDamaged(
                f"{self.database} is not a library of audiosearch: it holds other tables "
                f"({', '.join(sorted(tables)[:3])}); choose another schema with ?schema=NAME"
            )
        if not rows[0][1]:
            raise LibraryReadOnly(
                f"this role may not read {self.database}: its owner gives the right with: "
                f"GRANT USAGE ON SCHEMA {schema} TO ROLE; "
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE"
            )
        return True

    def _check_version(self, session: Any) -> None:
        """Raise `AudioSearchError` where the server is too old."""
        version = session.info.server_version // 10_000
        if version < LEAST_SERVER:
            raise AudioSearchError(
                f"the server of {self.name} is PostgreSQL {version}: audiosearch needs "
                f"{LEAST_SERVER} or later"
            )

    def _check_pgvector(self, session: Any) -> None:
        """Raise `AudioSearchError` where pgvector is too old, or not there."""
        row = session.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchone()
        if row is None:
            raise AudioSearchError(
                f"the database of {self.name} lacks pgvector: its administrator adds it with: "
                "CREATE EXTENSION vector"
            )
        number = tuple(int(part) for part in re.findall(r"\d+", row[0])[:2])
        if number < LEAST_VECTOR:
            raise AudioSearchError(
                f"the database of {self.name} has pgvector {row[0]}, and audiosearch needs "
                f"{'.'.join(map(str, LEAST_VECTOR))}: install it, then ALTER EXTENSION vector UPDATE"
            )

    def _make_schema(self, session: Any) -> None:
        psycopg = driver()
        schema = self.address.schema
        try:
            session.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.errors.InsufficientPrivilege:
            raise LibraryReadOnly(
                f"this role may not add pgvector to the database of {self.name}: its administrator "
                "does it with: CREATE EXTENSION vector"
            ) from None
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
            raise AudioSearchError(
                f"the server of {self.name} has no pgvector: install it there (on Debian: "
                "apt install postgresql-VERSION-pgvector)"
            ) from None
        except psycopg.errors.UniqueViolation:
            pass  # another program made it at the same moment
        try:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        except psycopg.errors.InsufficientPrivilege:
            raise LibraryReadOnly(
                f"this role may not make the schema {schema} in the database of {self.name}: its "
                f"owner does it with: CREATE SCHEMA {schema} AUTHORIZATION ROLE"
            ) from None
        except psycopg.errors.UniqueViolation:
            pass
        self._check_names(session)

    def _check_names(self, session: Any) -> None:
        """Raise `LibraryDamaged` where another schema on the path has a table of one of our names:
        it would be taken for ours.
        """
        from audiosearch.catalog.schema import metadata

        row = session.execute(
            "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname = ANY(%s) AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname = ANY(%s)",
            [list(_PATH), list(metadata.tables)],
        ).fetchone()
        if row:
            raise LibraryDamaged(
                f"the schema {row[0]} of {self.name} holds another program's table {row[1]}: give the "
                "library a database of its own"
            )

    # -- the lock -----------------------------------------------------------------------------

    def _held_by(self, holder: int) -> PostgresStore:
        return replace(self, holder=holder)

    def _key(self, role: Role) -> int:
        return _key(role, self.address.schema)

    def _busy(self, session: Any, role: Role) -> str:
        if role == "watcher":
            return (
                f"another program watches for the library {self.name} already: end that one first"
            )
        query = f"SELECT application_name FROM pg_stat_activity WHERE pid = (SELECT pid {_HELD})"
        row = session.execute(query, _halves(self._key(role))).fetchone()
        match = re.fullmatch(r"audiosearch (\d+) on (.+)", row[0] or "") if row else None
        holder = f"process {match[1]} on {match[2]}" if match else "another process"
        return (
            f"the library {self.name} is being written by {holder}: "
            "try again later, or wait for it with --wait"
        )


def _key(role: str, schema: str) -> int:
    """Return the number of a lock; the server keeps those of each database apart."""
    digest = hashlib.sha256(f"audiosearch {role} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _halves(key: int) -> dict[str, int]:
    """Return the number as `pg_locks` has it."""
    number = key % 2**64
    return {"high": number >> 32, "low": number % 2**32}
