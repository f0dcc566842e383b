"""What changed, for programs that keep a copy: the last change of each sound, numbered in the order of
their transactions.

SQLite's own triggers write it, so that no writer can forget to. There is one row for each sound that
ever was, with the number of its last change: a reader that asks for what came after the highest
number it has seen misses nothing, and sees a sound that changed twice once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

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
    """The last change of a sound. `changed`: it is new, or its file, place, id or metadata are
    others; `removed`: it is no longer in the library.
    """

    number: int
    kind: Literal["changed", "removed"]
    id: int
    external_id: str | None


def create_table(connection: Connection) -> None:
    """Begin to note changes; every sound that is there counts as changed."""
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement)


def changes_after(connection: Connection, number: int, limit: int) -> list[Change]:
    """The next `limit` changes with higher numbers, in order."""
    query = text(
        "SELECT number, kind, sound_id, external_id FROM changes "
        "WHERE number > :number ORDER BY number LIMIT :limit"
    )
    rows = connection.execute(query, {"number": number, "limit": limit})
    return [Change(*row) for row in rows]
