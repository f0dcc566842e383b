"""Collections of sounds and saved searches: what people mark, kept in the library.

A collection is an ordered list of sounds under a name; `FAVOURITES` is always there. It holds rows
of `sounds`, which survive index runs, moves, and changes of the file; a sound that the library
forgets leaves its collections. None of this changes what a search answers, so it has no part in the
generation, and may be written while an index run holds the writer's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
)

from audiosearch.catalog.dialect import follow_ids
from audiosearch.catalog.schema import metadata
from audiosearch.catalog.types import BigInt, Id, StoredText

FAVOURITES = 1
MOST_SOUNDS = 10_000

collections = Table(
    "collections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", StoredText, nullable=False, unique=True),
    Column("version", BigInt, nullable=False),
    Column("made", StoredText, nullable=False),
    Column("changed", StoredText, nullable=False),
    sqlite_autoincrement=True,
)

# `place` counts from 1 on in each collection.
collected = Table(
    "collected",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("sound_id", ForeignKey("sounds.id", ondelete="CASCADE"), primary_key=True),
    Column("place", BigInt, nullable=False),
    Index("collected_place", "collection_id", "place"),
    Index("collected_sound", "sound_id"),
)

# `query` is a JSON object, whose meaning is that of the program that saved it.
saved_searches = Table(
    "saved_searches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", StoredText, nullable=False, unique=True),
    Column("query", StoredText, nullable=False),
    Column("made", StoredText, nullable=False),
    Column("changed", StoredText, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True)
class Collection:
    """A named list of so many `sounds`. `kind` is ``favourites`` or ``collection``; `version` grows
    with each change that was asked for. Times are in UTC."""

    id: int
    name: str
    kind: str
    sounds: int
    version: int
    made: str
    changed: str


@dataclass(frozen=True)
class SavedSearch:
    """A query under a name. Times are in UTC."""

    id: int
    name: str
    query: dict[str, Any]
    made: str
    changed: str


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def create_tables(connection: Connection) -> None:
    """Make the tables where they are missing, and the favourites."""
    metadata.create_all(connection, tables=[collections, collected, saved_searches])
    if connection.execute(select(collections.c.id)).first() is None:
        row = {"id": FAVOURITES, "name": "Favourites", "version": 0, "made": now()}
        connection.execute(insert(collections).values(**row, changed=row["made"]))
        follow_ids(connection, collections)


def _query() -> Select[Any]:
    count = (
        select(func.count())
        .where(collected.c.collection_id == collections.c.id)
        .scalar_subquery()
        .label("sounds")
    )
    return select(collections, count)


def _read(connection: Connection, query: Select[Any]) -> list[Collection]:
    return [
        Collection(
            row.id,
            row.name,
            "favourites" if row.id == FAVOURITES else "collection",
            row.sounds,
            row.version,
            row.made,
            row.changed,
        )
        for row in connection.execute(query)
    ]


def all_collections(connection: Connection) -> list[Collection]:
    """Return every collection, the favourites first, then by name."""
    order = (collections.c.id != FAVOURITES, func.lower(collections.c.name), collections.c.id)
    return _read(connection, _query().order_by(*order))


def collection(connection: Connection, which: int | str) -> Collection | None:
    """Return the collection of that id or name."""
    column = collections.c.id if isinstance(which, int) else collections.c.name
    return next(iter(_read(connection, _query().where(column == which))), None)


def holding(connection: Connection, sound_id: int) -> list[Collection]:
    """Return the collections that hold a sound, by name."""
    within = select(collected.c.collection_id).where(collected.c.sound_id == sound_id)
    query = _query().where(collections.c.id.in_(within)).order_by(collections.c.name)
    return _read(connection, query)


def places(
    connection: Connection, collection_id: int, after: int = 0, limit: int | None = None
) -> list[tuple[int, int]]:
    """Return (place, sound id) in order, beyond the place `after`."""
    query = (
        select(collected.c.place, collected.c.sound_id)
        .where(collected.c.collection_id == collection_id, collected.c.place > after)
        .order_by(collected.c.place)
        .limit(limit)
    )
    return [(row.place, row.sound_id) for row in connection.execute(query)]


def set_order(connection: Connection, collection_id: int, sound_ids: Sequence[int]) -> None:
    """Let a collection hold these sounds, in this order."""
    connection.execute(delete(collected).where(collected.c.collection_id == collection_id))
    if sound_ids:
        connection.execute(
            insert(collected),
            [
                {"collection_id": collection_id, "sound_id": sound_id, "place": place}
                for place, sound_id in enumerate(sound_ids, start=1)
            ],
        )


def with_moved(order: Sequence[int], moving: Iterable[int], before: int | None) -> list[int]:
    """Return an order in which `moving` stand together before `before`, or at the end."""
    block = list(dict.fromkeys(moving))
    staying = [sound_id for sound_id in order if sound_id not in set(block)]
    place = staying.index(before) if before in staying else len(staying)
    return [*staying[:place], *block, *staying[place:]]
