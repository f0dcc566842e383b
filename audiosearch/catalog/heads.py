"""The table of heads: classifiers over stored vectors, kept as plain numbers.

Conventions: `labels` is a JSON list. `facts` is a JSON object, which says how the head was trained
and what it measured. `numbers` is an ``.npz`` archive of float32 arrays, without pickle. `digest`
is that of the model whose vectors the head reads; it is no foreign key, so that a head outlives a
switch of models and can say which model it needs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Row, Table, select

from audiosearch.catalog.schema import metadata
from audiosearch.catalog.types import Id, StoredText

heads = Table(
    "heads",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", StoredText, nullable=False, unique=True),
    Column("digest", StoredText, nullable=False),
    Column("model", StoredText, nullable=False),
    Column("labels", StoredText, nullable=False),
    Column("facts", StoredText, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
)


def create_table(connection: Connection) -> None:
    """Make the table where it is not there."""
    heads.create(connection, checkfirst=True)


def head_row(connection: Connection, name: str) -> Row[Any] | None:
    """Return the row of the head of that name."""
    return connection.execute(select(heads).where(heads.c.name == name)).first()


def head_rows(connection: Connection) -> list[Row[Any]]:
    """Return the rows of all heads, ordered by name."""
    return list(connection.execute(select(heads).order_by(heads.c.name)))
