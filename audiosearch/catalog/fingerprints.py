"""The table of fingerprints (`audiosearch.audio.fingerprint`), one for each content that was ever
compared with another.

It is a cache: a row of another version counts as absent, and a content takes its row along when it
goes. Its writer is `indexer.fingerprints`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    LargeBinary,
    Table,
    and_,
    func,
    select,
)

from audiosearch.audio.fingerprint import VERSION, Fingerprint
from audiosearch.catalog import schema
from audiosearch.catalog.dialect import IDS, ids_parameter, portable
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.schema import sounds
from audiosearch.catalog.types import BigInt

fingerprints = Table(
    "fingerprints",
    schema.metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInt, nullable=False),
    Column("data", LargeBinary, nullable=False),
)


def create_table(connection: Connection) -> None:
    """Make the table, unless it is there."""
    fingerprints.create(connection, checkfirst=True)


def stored_fingerprints(
    connection: Connection, content_ids: Iterable[int]
) -> dict[int, Fingerprint]:
    """Return the fingerprints of those of these contents that have one. Damaged ones are left out."""
    query = portable(
        f"SELECT content_id, data FROM fingerprints WHERE content_id IN {IDS} AND version = :version"
    )
    rows = connection.execute(query, {**ids_parameter(content_ids), "version": VERSION})
    stored = {}
    for content_id, data in rows:
        try:
            stored[content_id] = Fingerprint.from_bytes(data)
        except ValueError:
            continue
    return stored


def contents_with_fingerprints(connection: Connection, content_ids: Iterable[int]) -> set[int]:
    """Return those of these contents that have a fingerprint."""
    query = portable(
        f"SELECT content_id FROM fingerprints WHERE content_id IN {IDS} AND version = :version"
    )
    rows = connection.execute(query, {**ids_parameter(content_ids), "version": VERSION})
    return {row[0] for row in rows}


def copied_contents(connection: Connection, condition: Filter) -> list[int]:
    """Return the contents that two or more sounds share which meet the condition."""
    query = select(sounds.c.content_id).where(sounds.c.content_id.is_not(None))
    if condition:
        query = query.select_from(sounds.join(schema.roots).join(schema.contents)).where(
            and_(*conditions(condition))
        )
    query = query.group_by(sounds.c.content_id).having(func.count() > 1)
    return [row[0] for row in connection.execute(query)]
