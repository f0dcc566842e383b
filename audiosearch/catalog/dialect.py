"""What SQLite and PostgreSQL say differently, in statements that are built once.

`portable` is a statement as text; `by_dialect` is a condition or value within one; `upsert` is an
INSERT that takes ``ON CONFLICT``. Every statement is compiled once for each dialect and kept, so the
choice costs nothing when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    TextClause,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

POSTGRESQL = "postgresql"

# One statement takes this many parameters; SQLite's own limit is 32,766.
CHUNK = 10_000

# This subquery takes any number of ids in a single parameter.
IDS = "(SELECT value FROM json_each(:ids))"

# What PostgreSQL has in place of SQLite's own words in a text.
_IN_POSTGRESQL = {
    IDS: "(SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:ids AS json)) AS value)",
    "rowid": "sound_id",  # of `words`, a virtual table of SQLite's
}


def ids_parameter(values: Iterable[int]) -> dict[str, str]:
    """Return the parameter of a statement that holds `IDS`."""
    return {"ids": json.dumps([int(v) for v in values])}


def on_postgresql(connection: Connection) -> bool:
    """Return whether the database is PostgreSQL; else it is SQLite."""
    return connection.dialect.name == POSTGRESQL


class Portable(TextClause):
    """A text with the form that it has in PostgreSQL."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 (SQLAlchemy's way to say what a statement depends on)
        *TextClause._traverse_internals,
        ("postgresql", visitors.InternalTraversal.dp_string),
    ]

    def __init__(self, sqlite: str, postgresql: str | None = None) -> None:
        super().__init__(sqlite)
        if postgresql is None:
            postgresql = sqlite
            for ours, theirs in _IN_POSTGRESQL.items():
                postgresql = postgresql.replace(ours, theirs)
        self.postgresql = postgresql


@compiles(Portable, POSTGRESQL)
def _portable(element: Portable, compiler: SQLCompiler, **kw: Any) -> str:
    other = element._clone()
    other.text = element.postgresql
    compiled: str = compiler.visit_textclause(other, **kw)  # type: ignore[no-untyped-call]
    return compiled


@cache
def portable(sqlite: str, postgresql: str | None = None) -> Portable:
    """Return a statement, or a condition, as a text with parameters. `postgresql` has the same
    parameters; by default only what `IDS` stands for differs.
    """
    return Portable(sqlite, postgresql)


class ByDialect(FunctionElement[Any]):
    """An expression for each dialect, of which the compiler takes one."""

    inherit_cache = True

    def __init__(self, sqlite: Any, postgresql: Any, type_: TypeEngine[Any] | None = None) -> None:
        super().__init__(sqlite, postgresql)
        # Of a Boolean, SQLAlchemy would compare each condition in SQLite with 1.
        self.type = type_ or NullType()


@compiles(ByDialect)
def _for_sqlite(element: ByDialect, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[0], **kw)})"


@compiles(ByDialect, POSTGRESQL)
def _for_postgresql(element: ByDialect, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[1], **kw)})"


def by_dialect(
    sqlite: ColumnElement[Any] | TextClause,
    postgresql: ColumnElement[Any] | TextClause,
    type_: TypeEngine[Any] | None = None,
) -> ColumnElement[Any]:
    """Return an expression that is one thing in SQLite and another in PostgreSQL: a condition,
    unless `type_` names another type.
    """
    return ByDialect(sqlite, postgresql, type_)


# Both have `on_conflict_do_update` and `on_conflict_do_nothing`, with the same arguments.
Upsert: TypeAlias = sqlite.Insert


def upsert(connection: Connection, table: Table) -> Upsert:
    """Return an INSERT into a table that takes ``ON CONFLICT``."""
    if on_postgresql(connection):
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)


def follow_ids(connection: Connection, *tables: Table) -> None:
    """Let the ids that PostgreSQL gives from now on be above those that were written as they are.
    SQLite sees to that itself.
    """
    if not on_postgresql(connection):
        return
    for table in tables:
        (key,) = table.primary_key.columns
        highest = connection.execute(select(func.max(key))).scalar()
        if highest is not None:
            connection.execute(
                select(func.setval(func.pg_get_serial_sequence(table.name, key.name), highest))
            )


def position(part: bytes, value: ColumnElement[Any]) -> ColumnElement[int]:
    """Return where a value (bytes) holds these bytes, counted from 1; 0 where it does not."""
    bound = literal(part, LargeBinary)
    return by_dialect(func.instr(value, bound), func.position(bound.op("IN")(value)), BigInteger())
