"""The changes of a library, for programs that keep a copy: the last change of each sound, numbered
in the order of the transactions.

SQLite's own triggers write the table, so no writer can forget it. Each sound, also a removed one,
has one row with the number of its last change. A reader that requests the changes after its highest
number misses nothing, and sees a sound that changed twice only once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from audiosearch.catalog.reading import IDS, ids_parameter

_NOTE = """
DELETE FROM changes WHERE sound_id = {row}.id;
INSERT INTO changes (sound_id, kind, external_id) VALUES ({row}.id, '{kind}', {row}.external_id);
"""

_STATEMENTS = (
    """
    CREATE TABLE changes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sound_id INTEGER NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        external_id TEXT
    )
    """,
    "INSERT INTO changes (sound_id, kind, external_id) "
    "SELECT id, 'changed', external_id FROM sounds ORDER BY id",
    "CREATE TRIGGER sound_added AFTER INSERT ON sounds BEGIN"
    + _NOTE.format(row="new", kind="changed")
    + "END",
    "CREATE TRIGGER sound_changed AFTER UPDATE ON sounds WHEN "
    "(old.root_id, old.path) IS NOT (new.root_id, new.path) "
    "OR old.content_id IS NOT new.content_id OR old.external_id IS NOT new.external_id "
    "OR old.metadata IS NOT new.metadata BEGIN" + _NOTE.format(row="new", kind="changed") + "END",
    "CREATE TRIGGER sound_removed AFTER DELETE ON sounds BEGIN"
    + _NOTE.format(row="old", kind="removed")
    + "END",
)


@dataclass(frozen=True)
class Change:
    """The last change of a sound. The kind ``changed`` means a new sound, or a new file, place, id,
    metadata or kept UCS category; ``removed`` means that the library no longer holds it.
    """

    number: int
    kind: Literal["changed", "removed"]
    id: int
    external_id: str | None


def create_table(connection: Connection) -> None:
    """Make the table and its triggers. Every stored sound counts as changed."""
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement)


def note_changed(connection: Connection, sound_ids: Iterable[int]) -> None:
    """Count these sounds as changed: what is known of them changed in another table."""
    ids = ids_parameter(sound_ids)
    for statement in (
        f"DELETE FROM changes WHERE sound_id IN {IDS}",
        "INSERT INTO changes (sound_id, kind, external_id) "
        f"SELECT id, 'changed', external_id FROM sounds WHERE id IN {IDS} ORDER BY id",
    ):
        connection.execute(text(statement), ids)


def changes_after(connection: Connection, number: int, limit: int) -> list[Change]:
    """Return the next `limit` changes with higher numbers, in order."""
    query = text(
        "SELECT number, kind, sound_id, external_id FROM changes "
        "WHERE number > :number ORDER BY number LIMIT :limit"
    )
    rows = connection.execute(query, {"number": number, "limit": limit})
    return [Change(*row) for row in rows]
