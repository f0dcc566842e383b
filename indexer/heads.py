"""The writing of heads into a library's catalog, under the writer's lock."""

from __future__ import annotations

import json

from sqlalchemy import delete

from audiosearch.catalog.dialect import upsert
from audiosearch.catalog.heads import heads
from audiosearch.catalog.store import Store
from audiosearch.errors import HeadNotFound
from audiosearch.heads.head import Head
from indexer.lock import writing


def keep_head(store: Store, head: Head) -> None:
    """Keep a head under its name, in the place of one that has the name already.

    Raises `LibraryBusy` where another writer does not finish within 30 s.
    """
    values = {
        "name": head.name,
        "digest": head.digest,
        "model": head.model,
        "labels": json.dumps(head.labels, ensure_ascii=False),
        "facts": json.dumps(dict(head.facts), ensure_ascii=False, allow_nan=False),
        "numbers": head.numbers(),
    }
    with writing(store, wait=30.0) as engine, engine.begin() as connection:
        row = upsert(connection, heads).values(values)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))


def remove_head(store: Store, name: str) -> None:
    """Remove the head of that name, damaged or not. Raises `HeadNotFound` or `LibraryBusy`."""
    with writing(store, wait=30.0) as engine, engine.begin() as connection:
        gone = connection.execute(delete(heads).where(heads.c.name == name))
    if not gone.rowcount:
        raise HeadNotFound(f"there is no head {name[:80]!r} in the library {store.name}")
