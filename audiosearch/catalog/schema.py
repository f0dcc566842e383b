"""The tables of a library, in SQLite (`library.db`) or PostgreSQL.

A sound is a file; a content is the bytes in it. Copies share one content and its vectors, and a
moved file keeps them.

    roots 1--n sounds n--1 contents 1--n windows n--1 models

Conventions: times are in seconds from the start of the file. `mtime_ns` is that of `os.stat`.
Hashes are BLAKE2b of the whole file (32 bytes). A vector is little-endian float16 of unit length,
and its CRC-32, since SQLite does not notice rotten bytes. JSON columns hold objects; `notices`
holds a list. `loudness` is in LUFS and `peak` in dBFS; both are null in a content that was indexed
before they were measured, and `loudness` alone where a sound is too short or too quiet for one.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    and_,
    event,
    func,
    literal,
)

from audiosearch.catalog.dialect import by_dialect
from audiosearch.catalog.types import BigInt, Id, StoredJson, StoredText
from audiosearch.catalog.vector_type import StoredVector

metadata = MetaData()

# library_id, generation, active_model, building_model, tombstone_floor
meta = Table(
    "meta",
    metadata,
    Column("key", StoredText, primary_key=True),
    Column("value", StoredText, nullable=False),
)

migrations = Table(
    "migrations",
    metadata,
    Column("number", Id, primary_key=True),
    Column("name", StoredText, nullable=False),
    Column("applied_at", StoredText, nullable=False),
)

# `name` is what `load_model` takes; `digest` is the digest of the whole identity.
models = Table(
    "models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", StoredText, nullable=False),
    Column("digest", StoredText, nullable=False, unique=True),
    Column("identity", StoredText, nullable=False),
    Column("dimension", BigInt, nullable=False),
)

# A `whole` root is scanned from top to bottom; any other holds files that were added one by one.
roots = Table(
    "roots",
    metadata,
    Column("id", Id, primary_key=True),
    Column("path", LargeBinary, nullable=False),
    Column("whole", BigInt, nullable=False),
    UniqueConstraint("path").ddl_if(dialect="sqlite"),
)
# An index of PostgreSQL takes no key above 2.7 kB, and a path may be longer: its digest is not.
Index("roots_path", func.sha256(roots.c.path), unique=True).ddl_if(dialect="postgresql")

contents = Table(
    "contents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("duration", Float, nullable=False),
    Column("sample_rate", BigInt, nullable=False),
    Column("channels", BigInt, nullable=False),
    Column("format", StoredText, nullable=False),
    Column("subtype", StoredText),
    Column("tags", StoredJson, nullable=False),
    Column("truncated", StoredText),
    Column("notices", StoredText, nullable=False, server_default="[]"),
    Column("loudness", Float),
    Column("peak", Float),
)

# AUTOINCREMENT: no id is used twice, as by PostgreSQL's sequences, so an id in an old cache or in a
# client's hands cannot come to mean another sound.
sounds = Table(
    "sounds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("root_id", ForeignKey("roots.id"), nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("size", BigInt, nullable=False),
    Column("mtime_ns", BigInt, nullable=False),
    Column("content_id", ForeignKey("contents.id")),
    Column("external_id", StoredText),
    Column("metadata", StoredJson, nullable=False, server_default="{}"),
    UniqueConstraint("root_id", "path").ddl_if(dialect="sqlite"),
    Index("sounds_content", "content_id"),
    Index("sounds_external", "external_id").ddl_if(dialect="sqlite"),
    sqlite_autoincrement=True,
)
Index("sounds_path", sounds.c.root_id, func.sha256(sounds.c.path), unique=True).ddl_if(
    dialect="postgresql"
)
# Such an index keeps hashes: an id may be as long as a path (see `roots`). As an option of `Index` that
# would import all of SQLAlchemy's PostgreSQL, 22 ms of every cold query.
event.listen(
    sounds,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE INDEX sounds_external ON sounds USING hash (external_id)"
    ).execute_if(dialect="postgresql"),
)


def at_path(path: bytes) -> ColumnElement[bool]:
    """Return the condition that a sound has this path below its root, as the index takes it."""
    same = sounds.c.path == literal(path, LargeBinary)
    digests = func.sha256(sounds.c.path) == func.sha256(literal(path, LargeBinary))
    return by_dialect(same, and_(digests, same))


failures = Table(
    "failures",
    metadata,
    Column("sound_id", ForeignKey("sounds.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", StoredText, nullable=False),
    Column("reason", StoredText, nullable=False),
)

# The table has one row for each content that a model has embedded; `windows` is the number of its
# windows.
embeddings = Table(
    "embeddings",
    metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("mean", LargeBinary, nullable=False),
    Column("windows", BigInt, nullable=False),
    sqlite_with_rowid=False,
)

windows = Table(
    "windows",
    metadata,
    Column("id", Id, primary_key=True),
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), nullable=False),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("position", BigInt, nullable=False),
    Column("start", Float, nullable=False),
    Column("end", Float, nullable=False),
    Column("vector", StoredVector, nullable=False),
    Index("windows_content", "content_id", "model_id").ddl_if(dialect="sqlite"),
    Index("windows_position", "content_id", "model_id", "position", unique=True).ddl_if(
        dialect="postgresql"
    ),
    # SQLite counts and walks along its other index.
    Index("windows_model", "model_id", "id").ddl_if(dialect="postgresql"),
    sqlite_autoincrement=True,
)
# PostgreSQL would move a vector of more than 1,000 numbers out of its row, and fetch each one.
event.listen(
    windows,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "ALTER TABLE windows ALTER COLUMN vector SET STORAGE PLAIN"
    ).execute_if(dialect="postgresql"),
)

# The table lists windows deleted since the cache was written: readers of an older cache file mask
# them.
tombstones = Table(
    "tombstones",
    metadata,
    Column("window_id", Id, primary_key=True),
    Column("generation", BigInt, nullable=False),
)
