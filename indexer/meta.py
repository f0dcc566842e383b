"""The library's generation, and other values of its `meta` table."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from audiosearch.catalog import reading
from audiosearch.catalog.dialect import upsert
from audiosearch.catalog.schema import meta


def set_meta(connection: Connection, key: str, value: str | int | None) -> None:
    """Set or (with `None`) delete a `meta` row."""
    if value is None:
        connection.execute(delete(meta).where(meta.c.key == key))
        return
    row = upsert(connection, meta).values(key=key, value=str(value))
    connection.execute(
        row.on_conflict_do_update(index_elements=["key"], set_={"value": str(value)})
    )


def next_generation(connection: Connection) -> int:
    """Raise the generation by one, and return it."""
    number = reading.generation(connection) + 1
    set_meta(connection, "generation", number)
    return number
