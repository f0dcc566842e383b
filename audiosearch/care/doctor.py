"""The examination of a library. It reads everything and changes nothing.

A finding is an ``error`` or a ``notice``. An error means that the library contradicts itself, so
that answers may be wrong. A notice reports failed files, a stale cache, an unfinished run, or files
that are gone or changed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from audiosearch.catalog import migrations, reading, window_reading
from audiosearch.catalog.dialect import on_postgresql, portable
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import embeddings, windows
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.errors import AudioSearchError, LibraryDamaged
from audiosearch.heads.examination import head_problems
from audiosearch.vectors.cachefile import CacheUnusable, read_cache
from audiosearch.vectors.codec import UNIT_TOLERANCE, from_blobs, intact
from audiosearch.vectors.validity import is_long, usable_footer, windows_behind


@dataclass(frozen=True)
class Finding:
    """One result of `check`. Programs may rely on `code`: it is stable."""

    level: Literal["error", "notice"]
    code: str
    message: str


def check(where: Address, *, quick: bool = False) -> list[Finding]:
    """Check a library. `quick` skips the checks that read every vector and every file.

    Raises `LibraryNotFound` and `LibraryTooNew`; a database that cannot be read is a finding, not
    an error.
    """
    store = store_at(where)
    try:
        engine = store.reader()
    except LibraryDamaged as error:
        return [Finding("error", "database", str(error))]
    try:
        with engine.connect() as connection:
            version = migrations.check_version(connection, store.name)
            if 0 < version < migrations.SCHEMA_VERSION:
                return [*_pages(connection, quick), _OLD]
            return list(_findings(connection, store, quick))
    except DatabaseError as error:
        return [Finding("error", "database", str(store.error(error)))]
    except (LibraryDamaged, UnicodeDecodeError, ValueError) as error:
        return [Finding("error", "database", f"it contradicts itself: {error}")]
    finally:
        engine.dispose()


# The other checks read tables that an older library lacks.
_OLD = Finding(
    "notice",
    "old",
    "an older audiosearch wrote the library: the next command that opens it upgrades it, "
    "and then doctor can check it whole",
)


def _pages(connection: Connection, quick: bool) -> Iterator[Finding]:
    """Yield the findings of SQLite's own checks. PostgreSQL keeps its pages and references itself."""
    if on_postgresql(connection):
        return
    pragma = "quick_check" if quick else "integrity_check"
    for (line,) in connection.execute(portable(f"PRAGMA {pragma}(10)")).all():
        if line != "ok":
            yield Finding("error", "database", f"SQLite: {line}")
    for row in connection.execute(portable("PRAGMA foreign_key_check")).all():
        yield Finding(
            "error", "orphan", f"a row of {row[0]} points to a row of {row[2]} that is gone"
        )


def _findings(connection: Connection, store: Store, quick: bool) -> Iterator[Finding]:
    yield from _pages(connection, quick)
    yield from _rows(connection)
    model = reading.active_model(connection)
    if model:
        yield from _model(model)
        if not quick:
            yield from _vectors(connection, model)
        if not on_postgresql(connection):
            yield from cache_findings(connection, store.directory, model, quick)
    building = reading.building_model(connection)
    if building:
        message = f"vectors of the model {building.name} are being built and not finished"
        yield Finding("notice", "building", message)
    for level, message in head_problems(connection, model, building):
        yield Finding(level, "head", message)
    failed = reading.counts(connection)["failed"]
    if failed:
        message = f"{failed} files could not be embedded: audiosearch status --failed"
        yield Finding("notice", "failed", message)
    if not quick:
        yield from _files(connection)


_CONTRADICTIONS = (
    (
        "sounds have neither content nor failure",
        "SELECT count(*) FROM sounds s WHERE content_id IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.sound_id = s.id)",
    ),
    (
        "sounds have both content and failure",
        "SELECT count(*) FROM sounds s JOIN failures f ON f.sound_id = s.id "
        "WHERE s.content_id IS NOT NULL",
    ),
    (
        "contents belong to no sound",
        "SELECT count(*) FROM contents c "
        "WHERE NOT EXISTS (SELECT 1 FROM sounds s WHERE s.content_id = c.id)",
    ),
    (
        "contents have no vectors of the library's model",
        "SELECT count(*) FROM contents c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE "
        "e.content_id = c.id AND CAST(e.model_id AS text) = "
        "(SELECT value FROM meta WHERE key = 'active_model')) AND NOT EXISTS "
        "(SELECT 1 FROM embeddings e WHERE e.content_id = c.id AND CAST(e.model_id AS text) = "
        "(SELECT value FROM meta WHERE key = 'building_model'))",
    ),
    (
        "embeddings have no windows",
        "SELECT count(*) FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM windows w "
        "WHERE w.content_id = e.content_id AND w.model_id = e.model_id)",
    ),
    (
        "windows belong to no embedding",
        "SELECT count(*) FROM windows w WHERE NOT EXISTS (SELECT 1 FROM embeddings e "
        "WHERE w.content_id = e.content_id AND w.model_id = e.model_id)",
    ),
    (
        "windows lie outside their sound",
        "SELECT count(*) FROM windows w JOIN contents c ON c.id = w.content_id "
        'WHERE w.start < 0 OR w."end" <= w.start OR w."end" > c.duration + 1e-6',
    ),
    (
        "sounds cannot be searched by words",
        "SELECT count(*) FROM sounds s WHERE content_id IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM words w WHERE w.rowid = s.id)",
    ),
    (
        "words belong to no sound",
        "SELECT count(*) FROM words w WHERE w.rowid NOT IN "
        "(SELECT id FROM sounds WHERE content_id IS NOT NULL)",
    ),
)


def _rows(connection: Connection) -> Iterator[Finding]:
    for message, query in _CONTRADICTIONS:
        count = connection.execute(portable(query)).scalar_one()
        if count:
            yield Finding("error", "rows", f"{count} {message}")


def _model(model: StoredModel) -> Iterator[Finding]:
    from audiosearch.models.registry import load_model

    try:
        installed = load_model(model.name)
    except AudioSearchError as error:
        yield Finding("notice", "model", f"the library's model cannot be loaded: {error}")
        return
    if installed.identity.digest != model.digest:
        yield Finding(
            "notice",
            "model",
            f"the model {model.name} is not the one that the library was built with: "
            f"audiosearch index --model {model.name} builds its vectors anew",
        )


def _vectors(connection: Connection, model: StoredModel) -> Iterator[Finding]:
    bad = len(damaged_contents(connection, model))
    if bad:
        yield Finding("error", "vectors", f"the vectors of {bad} sounds are damaged")


# Memory holds this many rows at a time, of 1 KB each.
_STREAMED = {"yield_per": 500}


def damaged_contents(connection: Connection, model: StoredModel) -> list[int]:
    """Return the ids of contents with damaged vectors.

    A vector is damaged where its checksum fails or it is not a finite unit vector.
    """
    embedded = connection.execute(
        select(embeddings.c.content_id, embeddings.c.mean, embeddings.c.windows)
        .where(embeddings.c.model_id == model.id)
        .order_by(embeddings.c.content_id),
        execution_options=_STREAMED,
    )
    # Both queries are ordered by content, and memory holds one content at a time. SQLite reads
    # along its indexes and sorts nothing, so a library of any size takes the memory of its longest
    # sound.
    rows = connection.execute(
        select(windows.c.content_id, windows.c.vector)
        .where(windows.c.model_id == model.id)
        .order_by(windows.c.content_id),
        execution_options=_STREAMED,
    )
    groups = itertools.groupby(rows, lambda row: int(row.content_id))
    of_content = next(groups, None)
    bad = []
    for row in embedded:
        while of_content and of_content[0] < row.content_id:
            of_content = next(groups, None)  # these windows have no embedding: `_rows` counts them
        own = of_content[1] if of_content and of_content[0] == row.content_id else ()
        if not _sound_vectors([each.vector for each in own], row, model.dimension):
            bad.append(row.content_id)
    return bad


def _sound_vectors(vectors: list[bytes], row: Any, dimension: int) -> bool:
    blobs = [*vectors, row.mean]
    if len(vectors) != row.windows or not all(intact(blob, dimension) for blob in blobs):
        return False
    lengths = np.linalg.norm(from_blobs(blobs, dimension), axis=1)
    return bool((np.abs(lengths - 1) < UNIT_TOLERANCE).all())


def cache_findings(
    connection: Connection, directory: Path, model: StoredModel, quick: bool
) -> Iterator[Finding]:
    """Yield the findings about the cache.

    The code ``cache`` is a fault. The code ``behind`` is harmless: the cache lacks recent windows.
    """
    try:
        footer = usable_footer(connection, directory, model)
        if not quick:
            read_cache(directory, footer)
    except CacheUnusable as reason:
        if window_reading.count_windows(connection, model.id):
            message = f"the vector cache is not used: {reason}; the next index run writes a new one"
            yield Finding("notice", "cache", message)
        return
    covered = connection.execute(
        portable("SELECT count(*) FROM windows WHERE model_id = :m AND id <= :upto"),
        {"m": model.id, "upto": footer.covers},
    ).scalar_one()
    dead = [
        i for i in window_reading.dead_windows(connection, footer.generation) if i <= footer.covers
    ]
    if covered != footer.count - len(dead):
        message = (
            f"the vector cache holds {footer.count - len(dead)} windows, the database {covered}"
        )
        yield Finding("error", "cache", f"{message}: audiosearch doctor --repair")
    elif is_long(windows_behind(connection, model, footer), footer.count):
        yield Finding(
            "notice", "behind", "the vector cache is behind: the next index run renews it"
        )


def _files(connection: Connection) -> Iterator[Finding]:
    gone = changed = 0
    for sound in reading.iterate_sounds(connection):
        try:
            now = os.stat(sound.path)  # noqa: PTH116
        except OSError:
            gone += 1
            continue
        changed += (now.st_size, now.st_mtime_ns) != (sound.size, sound.mtime_ns)
    if gone:
        yield Finding("notice", "gone", f"{gone} files are gone or cannot be reached")
    if changed:
        yield Finding("notice", "changed", f"{changed} files have changed: audiosearch index")
