"""The writing of heads into a library's catalog, under the writer's lock."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import delete

from audiosearch.catalog import database
from audiosearch.catalog.dialect import upsert
from audiosearch.catalog.heads import heads
from audiosearch.errors import HeadNotFound
from audiosearch.heads.head import Head
from indexer.lock import writer_lock


def keep_head(directory: Path, head: Head) -> None:
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
    with writer_lock(directory, wait=30.0), database.translating(directory):
        engine = database.writer(directory)
        try:
            with engine.begin() as connection:
                row = upsert(connection, heads).values(values)
                connection.execute(row.on_conflict_do_update(["name"], set_=values))
        finally:
            engine.dispose()


def remove_head(directory: Path, name: str) -> None:
    """Remove the head of that name, damaged or not. Raises `HeadNotFound` or `LibraryBusy`."""
    with writer_lock(directory, wait=30.0), database.translating(directory):
        engine = database.writer(directory)
        try:
            with engine.begin() as connection:
                gone = connection.execute(delete(heads).where(heads.c.name == name))
        finally:
            engine.dispose()
    if not gone.rowcount:
        raise HeadNotFound(f"there is no head {name[:80]!r} in the library {directory}")
