"""The queries on the catalog, except those on windows (see `window_reading`). Each function takes an
open connection, so that a caller's reads share one snapshot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
)

from audiosearch import paths
from audiosearch.catalog import ucs
from audiosearch.catalog.dialect import IDS, ids_parameter, portable
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.records import Root, Sound, StoredModel
from audiosearch.catalog.schema import (
    at_path,
    contents,
    failures,
    meta,
    models,
    roots,
    sounds,
    windows,
)
from audiosearch.errors import LibraryDamaged, SoundNotFound

_JOINED = (
    sounds.join(roots)
    .outerjoin(contents)
    .outerjoin(failures)
    .outerjoin(ucs.names)
    .outerjoin(ucs.categories, ucs.categories.c.cat_id == ucs.names.c.cat_id)
)

# SQLite has no greater id, so no row has one.
LAST_ID = 2**63 - 1


def get_meta(connection: Connection, key: str) -> str | None:
    """Return the value of a `meta` row."""
    return connection.execute(_META, {"key": key}).scalar()


_META = select(meta.c.value).where(meta.c.key == bindparam("key"))


def generation(connection: Connection) -> int:
    """Return the number of transactions that have changed sounds or windows.

    Two equal generations mean that nothing changed between them.
    """
    return int(get_meta(connection, "generation") or 0)


def _model(row: Row[Any]) -> StoredModel:
    return StoredModel(row.id, row.name, row.digest, json.loads(row.identity), row.dimension)


def active_model(connection: Connection) -> StoredModel | None:
    """Return the model that answers queries; `None` in a library that was never indexed.

    Raises `LibraryDamaged` where the database holds vectors but does not name their model.
    """
    model = _noted_model(connection, "active_model")
    if model is None and connection.execute(select(windows.c.id).limit(1)).first():
        raise LibraryDamaged("the library does not know its own model: see audiosearch doctor")
    return model


def building_model(connection: Connection) -> StoredModel | None:
    """Return the model whose vectors are being built beside the active one's, if any."""
    return _noted_model(connection, "building_model")


def _noted_model(connection: Connection, key: str) -> StoredModel | None:
    row = connection.execute(_NOTED_MODEL, {"key": key}).first()
    if row is None:
        return None
    if row.id is None:
        raise LibraryDamaged(f"the library's {key} is not in it: see audiosearch doctor")
    return _model(row)


_NOTED_MODEL = (
    select(models)
    .select_from(meta.outerjoin(models, cast(models.c.id, Text) == meta.c.value))
    .where(meta.c.key == bindparam("key"))
)


@cache
def _sound_columns() -> Select[Any]:
    return select(
        sounds,
        roots.c.path.label("root"),
        contents.c.hash,
        contents.c.duration,
        contents.c.sample_rate,
        contents.c.channels,
        contents.c.format,
        contents.c.subtype,
        contents.c.truncated,
        contents.c.notices,
        contents.c.loudness,
        contents.c.peak,
        contents.c.tags,
        failures.c.kind,
        failures.c.reason,
        *ucs.COLUMNS,
    ).select_from(_JOINED)


# Most sounds have most of these columns empty, and every hit reads them.
def _object(value: str | None) -> dict[str, Any]:
    return {} if value is None or value == "{}" else json.loads(value)


def _sound(row: Row[Any]) -> Sound:
    if row.path.startswith(b"/") or b".." in row.path.split(b"/"):
        # No scan writes such a path: somebody changed the library so that it points out of its
        # folders.
        raise LibraryDamaged(f"the library holds a path outside its root: {paths.shown(row.path)}")
    return Sound(
        id=row.id,
        path=paths.usable(row.root, row.path),
        root=paths.usable(row.root),
        size=row.size,
        mtime_ns=row.mtime_ns,
        content=row.hash.hex() if row.hash else None,
        duration=row.duration,
        sample_rate=row.sample_rate,
        channels=row.channels,
        format=row.format,
        subtype=row.subtype,
        truncated=row.truncated,
        notices=() if row.notices in (None, "[]") else tuple(json.loads(row.notices)),
        loudness=row.loudness,
        peak=row.peak,
        tags=_object(row.tags),
        external_id=row.external_id,
        metadata=_object(row.metadata),
        failure=row.kind,
        reason=row.reason,
        ucs=ucs.fields_of(row) if row.ucs_cat_id else {},
    )


def iterate_sounds(
    connection: Connection, condition: Filter | None = None, *, failed: bool | None = None
) -> Iterator[Sound]:
    """Yield sounds in the order of their paths. `failed` keeps only the failed ones, or only the
    others.
    """
    query = _sound_columns().order_by(roots.c.path, sounds.c.path)
    if condition:
        query = query.where(and_(*conditions(condition)))
    if failed is not None:
        query = query.where(
            failures.c.kind.is_not(None) if failed else sounds.c.content_id.is_not(None)
        )
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield _sound(row)


def page_of_sounds(
    connection: Connection, condition: Filter, after: int, limit: int, *, failed: bool = False
) -> list[Sound]:
    """Return the next `limit` sounds with ids above `after`, by id. Failed sounds count too; with
    `failed`, they alone do.
    """
    query = _sound_columns().where(
        sounds.c.id > max(0, min(after, LAST_ID)), *conditions(condition)
    )
    if failed:
        query = query.where(failures.c.kind.is_not(None))
    return [_sound(row) for row in connection.execute(query.order_by(sounds.c.id).limit(limit))]


def sound_by_id(connection: Connection, sound_id: int) -> Sound | None:
    """Return the sound of that id."""
    if not 0 < sound_id <= LAST_ID:
        return None
    row = connection.execute(_sound_columns().where(sounds.c.id == sound_id)).first()
    return _sound(row) if row else None


def known_sound(connection: Connection, sound_id: int) -> Sound:
    """Return the sound of that id. Raises `SoundNotFound`."""
    sound = sound_by_id(connection, sound_id)
    if sound is None:
        raise no_sound(sound_id)
    return sound


def no_sound(sound_id: int) -> SoundNotFound:
    """Return the error that says that there is no sound of that id."""
    return SoundNotFound(f"there is no sound with id {sound_id} in the library")


def sounds_by_id(connection: Connection, sound_ids: Sequence[int]) -> dict[int, Sound]:
    """Return these sounds by id. Ids that no longer exist are left out."""
    rows = connection.execute(_sound_columns().where(_OF_IDS), ids_parameter(sound_ids))
    return {row.id: _sound(row) for row in rows.all()}


def sound_by_path(connection: Connection, path: str) -> Sound | None:
    """Return the sound stored for an absolute path."""
    raw = os.fsencode(path)
    for root in connection.execute(select(roots.c.id, roots.c.path)):
        prefix = root.path.rstrip(b"/") + b"/"
        if raw.startswith(prefix):
            query = _sound_columns().where(
                sounds.c.root_id == root.id, at_path(paths.stored(raw[len(prefix) :]))
            )
            row = connection.execute(query).first()
            if row:
                return _sound(row)
    return None


_OF_IDS = portable(f"sounds.id IN {IDS}")
_OF_CONTENTS = portable(f"sounds.content_id IN {IDS}")


@cache
def _sounds_of_contents() -> Select[Any]:
    return _sound_columns().where(_OF_CONTENTS)


def sounds_of_contents(
    connection: Connection, content_ids: Sequence[int], condition: Filter | None = None
) -> dict[int, list[Sound]]:
    """Return, for each content, its sounds that meet the condition, ordered by path."""
    query = _sounds_of_contents()
    if condition:
        query = query.where(and_(*conditions(condition)))
    by_content: dict[int, list[Sound]] = {}
    for row in connection.execute(query, ids_parameter(content_ids)).all():
        by_content.setdefault(row.content_id, []).append(_sound(row))
    for copies in by_content.values():
        copies.sort(key=lambda sound: os.fsencode(sound.path))
    return by_content


def content_of_sound(connection: Connection, sound_id: int) -> int | None:
    """Return the content of a sound; `None` where it has none or does not exist."""
    if not 0 < sound_id <= LAST_ID:
        return None
    return connection.execute(select(sounds.c.content_id).where(sounds.c.id == sound_id)).scalar()


def contents_of_sounds(connection: Connection, sound_ids: Iterable[int]) -> dict[int, int]:
    """Return the content of each of these sounds that has one."""
    rows = connection.execute(_CONTENTS_BY_ID, ids_parameter(sound_ids)).all()
    return {row[0]: row[1] for row in rows}


_CONTENTS_BY_ID = portable(
    f"SELECT id, content_id FROM sounds WHERE id IN {IDS} AND content_id IS NOT NULL"
)


def count_sounds(connection: Connection) -> int:
    """Return how many sounds have an embedding, copies included."""
    return connection.execute(_COUNT_SOUNDS).scalar_one()


_COUNT_SOUNDS = select(func.count()).select_from(sounds).where(sounds.c.content_id.is_not(None))


def all_roots(connection: Connection) -> list[Root]:
    """Return the folders of the library."""
    query = (
        select(roots.c.id, roots.c.path, roots.c.whole, func.count(sounds.c.id))
        .select_from(roots.outerjoin(sounds))
        .group_by(roots.c.id)
        .order_by(roots.c.path)
    )
    return [
        Root(row[0], paths.usable(row[1]), bool(row[2]), row[3])
        for row in connection.execute(query)
    ]


def counts(connection: Connection) -> dict[str, Any]:
    """Return the numbers for `status`: sounds, failed, contents, seconds of audio."""
    total = select(func.count()).select_from(sounds)
    indexed = sounds.c.content_id.is_not(None)
    seconds = select(func.coalesce(func.sum(contents.c.duration), 0.0)).select_from(
        sounds.join(contents)
    )
    return {
        "sounds": connection.execute(total.where(indexed)).scalar_one(),
        "failed": connection.execute(select(func.count()).select_from(failures)).scalar_one(),
        "contents": connection.execute(select(func.count()).select_from(contents)).scalar_one(),
        "seconds": connection.execute(seconds).scalar_one(),
    }
