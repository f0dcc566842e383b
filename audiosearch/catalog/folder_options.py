"""What was set for folders of a library: the patterns that leave files out, and whether links are
followed.

A row belongs to a root, or to a folder inside one (`below`, relative to the root; ``b""`` is the
root itself). A folder without a row has nothing set. `exclude` is a JSON list of shell patterns.
`follow_symlinks` is NULL where the folder around it decides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    delete,
    func,
    insert,
    select,
)

from audiosearch.catalog.schema import metadata
from audiosearch.catalog.types import BigInt, StoredText
from audiosearch.paths import shown

folder_options = Table(
    "folder_options",
    metadata,
    Column("root_id", ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
    Column("below", LargeBinary, nullable=False),
    Column("exclude", StoredText, nullable=False),
    Column("follow_symlinks", BigInt),
    PrimaryKeyConstraint("root_id", "below").ddl_if(dialect="sqlite"),
    sqlite_with_rowid=False,
)
# A path may be too long for a key of PostgreSQL's (see `roots`).
Index(
    "folder_options_below",
    folder_options.c.root_id,
    func.sha256(folder_options.c.below),
    unique=True,
).ddl_if(dialect="postgresql")


@dataclass(frozen=True)
class FolderRule:
    """What is set for the folder `below` its root. `None`: the folder around it decides."""

    below: bytes = b""
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool | None = None


def create_table(connection: Connection) -> None:
    """Make the table where there is none."""
    folder_options.create(connection, checkfirst=True)


def rules_of(connection: Connection, root_id: int) -> list[FolderRule]:
    """Return what is set for a root and for the folders inside it, outer folders first."""
    query = select(folder_options).where(folder_options.c.root_id == root_id)
    return [
        FolderRule(
            row.below,
            tuple(json.loads(row.exclude)),
            None if row.follow_symlinks is None else bool(row.follow_symlinks),
        )
        for row in connection.execute(query.order_by(folder_options.c.below))
    ]


def set_rules(connection: Connection, root_id: int, rules: Sequence[FolderRule]) -> None:
    """Replace what is set for a root and for the folders inside it."""
    connection.execute(delete(folder_options).where(folder_options.c.root_id == root_id))
    rows = [
        {
            "root_id": root_id,
            "below": rule.below,
            "exclude": json.dumps(rule.exclude),  # in ASCII: a pattern may hold any byte
            "follow_symlinks": None if rule.follow_symlinks is None else int(rule.follow_symlinks),
        }
        for rule in rules
        if rule.exclude or rule.follow_symlinks is not None
    ]
    if rows:
        connection.execute(insert(folder_options), rows)


def in_words(rule: FolderRule) -> str:
    """What a rule says, such as ``leaves out *_draft*, follows links``."""
    parts = []
    if rule.exclude:
        parts.append("leaves out " + " ".join(map(shown, rule.exclude)))
    else:
        parts.append("leaves nothing out")
    if rule.follow_symlinks is not None:
        parts.append("follows links" if rule.follow_symlinks else "follows no links")
    return ", ".join(parts)
