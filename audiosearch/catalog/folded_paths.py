"""The folded forms of paths in PostgreSQL, which cannot fold as Python and SQLite's own function do
(`audiosearch.catalog.folding`).

Only paths that are not ASCII have a row: `lower` folds the others. A byte that is not UTF-8 is a
character of Unicode's last private plane, since PostgreSQL holds no other. Roots are few, and move:
a row of one counts only for the path that it was made from.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, ForeignKey, LargeBinary, MetaData, Table, select

from audiosearch.catalog.dialect import IDS, ids_parameter, portable, upsert
from audiosearch.catalog.folding import folded
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.types import StoredText

# Not among the tables that every library has.
_metadata = MetaData()

sound_forms = Table(
    "sound_forms",
    _metadata,
    Column("sound_id", ForeignKey(sounds.c.id, ondelete="CASCADE"), primary_key=True),
    Column("folded", StoredText, nullable=False),
)
root_forms = Table(
    "root_forms",
    _metadata,
    Column("root_id", ForeignKey(roots.c.id, ondelete="CASCADE"), primary_key=True),
    Column("path", LargeBinary, nullable=False),
    Column("folded", StoredText, nullable=False),
)

_PRIVATE = 0x10FF00


def create_tables(connection: Connection) -> None:
    """Make both tables where they are missing."""
    _metadata.create_all(connection)


def folded_text(path: bytes) -> str:
    """Return the folded form of a path, or of a pattern, as a text that PostgreSQL can hold."""
    text = folded(path).decode("utf-8", "surrogateescape")
    if not text.isascii():
        text = "".join(_stored(c) if "\udc80" <= c <= "\udcff" else c for c in text)
    return text


def _stored(byte: str) -> str:
    return chr(_PRIVATE + ord(byte) - 0xDC00)


_GONE = portable(f"DELETE FROM sound_forms WHERE sound_id IN {IDS}")
_PATHS = portable(f"SELECT id, path FROM sounds WHERE id IN {IDS}")


def fold(connection: Connection, sound_ids: Sequence[int]) -> None:
    """Bring the forms of these sounds up to date, and those of all roots, in the transaction that
    changed them.
    """
    values = ids_parameter(sound_ids)
    connection.execute(_GONE, values)
    forms = [
        {"sound_id": row.id, "folded": folded_text(row.path)}
        for row in connection.execute(_PATHS, values)
        if not row.path.isascii()
    ]
    if forms:
        connection.execute(sound_forms.insert(), forms)
    fold_roots(connection)


def fold_roots(connection: Connection) -> None:
    """Bring the forms of all roots up to date."""
    current = roots.outerjoin(
        root_forms,
        (root_forms.c.root_id == roots.c.id) & (root_forms.c.path == roots.c.path),
    )
    query = select(roots.c.id, roots.c.path).select_from(current)
    for row in connection.execute(query.where(root_forms.c.root_id.is_(None))).all():
        if not row.path.isascii():
            values = {"path": row.path, "folded": folded_text(row.path)}
            form = upsert(connection, root_forms).values(root_id=row.id, **values)
            connection.execute(form.on_conflict_do_update(index_elements=["root_id"], set_=values))
