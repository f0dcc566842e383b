"""The queries on windows, their vectors and their contents. Each function takes an open connection, as
in `reading`. A vector is the bytes that the database holds (see `audiosearch.vectors.codec`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, and_, case, func, select

from audiosearch.catalog.dialect import CHUNK, IDS, ids_parameter, portable
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.records import WindowRow
from audiosearch.catalog.schema import contents, embeddings, roots, sounds, tombstones, windows


def mean_vector(connection: Connection, content_id: int, model_id: int) -> bytes | None:
    """Return the stored mean of a content's windows, unit length."""
    return connection.execute(
        select(embeddings.c.mean).where(
            embeddings.c.content_id == content_id, embeddings.c.model_id == model_id
        )
    ).scalar()


def allowed_windows(connection: Connection, condition: Filter, model_id: int) -> np.ndarray:
    """Return the ids (int64, ascending) of the model's windows whose sound meets the condition."""
    query = select(windows.c.id).where(
        windows.c.model_id == model_id, windows.c.content_id.in_(_passing(condition))
    )
    ids = np.fromiter((row[0] for row in connection.execute(query)), dtype=np.int64)
    ids.sort()
    return ids


def count_allowed_windows(connection: Connection, condition: Filter | None, model_id: int) -> int:
    """Return how many windows of the model `allowed_windows` would return; without a condition, how
    many it has. It reads no windows.
    """
    query = select(func.coalesce(func.sum(embeddings.c.windows), 0)).where(
        embeddings.c.model_id == model_id
    )
    if condition:
        query = query.where(embeddings.c.content_id.in_(_passing(condition)))
    return int(connection.execute(query).scalar_one())


def allowed_contents(
    connection: Connection, condition: Filter, model_id: int, most: int
) -> list[tuple[int, int]]:
    """Return contents that pass a condition, `most` of them at most: id, and number of windows of the
    model.
    """
    query = (
        select(embeddings.c.content_id, embeddings.c.windows)
        .where(embeddings.c.model_id == model_id, embeddings.c.content_id.in_(_passing(condition)))
        .limit(most)
    )
    return [(row[0], row[1]) for row in connection.execute(query)]


def _passing(condition: Filter) -> Select[tuple[int | None]]:
    return (
        select(sounds.c.content_id)
        .select_from(sounds.join(roots).join(contents))
        .where(and_(*conditions(condition)))
    )


# These statements serve every search and are built once: SQLAlchemy takes as long to build one as
# SQLite takes to run it.
_WINDOWS_BY_ID = portable(f'SELECT id, content_id, start, "end" FROM windows WHERE id IN {IDS}')
_VECTORS_BY_ID = select(windows.c.id, windows.c.vector).where(portable(f"windows.id IN {IDS}"))


def windows_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, WindowRow]:
    """Return the rows of these windows, by id. Ids that no longer exist are left out."""
    rows = connection.execute(_WINDOWS_BY_ID, ids_parameter(ids)).all()
    return {row[0]: WindowRow(*row) for row in rows}


def windows_of_contents(
    connection: Connection, content_ids: Iterable[int], model_id: int
) -> list[WindowRow]:
    """Return all windows of these contents, by content and position."""
    query = portable(
        f'SELECT id, content_id, start, "end" FROM windows WHERE content_id IN {IDS} '
        "AND model_id = :model ORDER BY content_id, position"
    )
    values = {**ids_parameter(content_ids), "model": model_id}
    return [WindowRow(*row) for row in connection.execute(query, values)]


# The index over contents answers this: rows of `windows` are long, and are not read.
_WINDOWS_OF_SOUNDS = portable(
    "SELECT sounds.id, sounds.content_id, windows.id FROM sounds JOIN windows "
    "ON windows.content_id = sounds.content_id AND windows.model_id = :model "
    f"WHERE sounds.id IN {IDS}"
)


def windows_of_sounds(
    connection: Connection, sound_ids: Iterable[int], model_id: int
) -> Sequence[Any]:
    """Return the windows of these sounds: the sound's id, the content's and the window's."""
    values = {**ids_parameter(sound_ids), "model": model_id}
    return connection.execute(_WINDOWS_OF_SOUNDS, values).all()


def vectors_by_id(connection: Connection, ids: Iterable[int]) -> list[tuple[int, bytes]]:
    """Return the stored vectors of these windows, by id. Ids that no longer exist are left out."""
    return [
        (row[0], row[1]) for row in connection.execute(_VECTORS_BY_ID, ids_parameter(ids)).all()
    ]


def vectors_after(
    connection: Connection, model_id: int, after: int, *, upto: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the vector of each window with an id above `after` (and not above `upto`),
    ascending.
    """
    query = select(windows.c.id, windows.c.vector).where(
        windows.c.id > after, windows.c.model_id == model_id
    )
    if upto is not None:
        query = query.where(windows.c.id <= upto)
    streamed = connection.execution_options(yield_per=CHUNK)
    for row in streamed.execute(query.order_by(windows.c.id)):
        yield row[0], row[1]


def sample_contents(connection: Connection, most: int) -> list[int]:
    """Return the contents of a sample that depends on the library's contents alone.

    They are the `most` contents with the smallest hashes: a hash is as good as a die, and does not
    change with order or time.
    """
    query = select(contents.c.id).order_by(contents.c.hash).limit(most)
    return [row[0] for row in connection.execute(query)]


def sample_windows(
    connection: Connection, model_id: int, content_ids: Iterable[int], windows_most: int
) -> Iterator[tuple[int, bytes]]:
    """Yield (content id, vector) of windows of these contents. A long content gives only
    `windows_most` windows, evenly spread.
    """
    size = (
        select(windows.c.content_id, func.count().label("windows"))
        .where(portable(f"windows.content_id IN {IDS}"), windows.c.model_id == model_id)
        .group_by(windows.c.content_id)
        .subquery()
    )
    step = case((size.c.windows < 2 * windows_most, 1), else_=size.c.windows // windows_most)
    query = (
        select(windows.c.content_id, windows.c.vector)
        .select_from(size.join(windows, windows.c.content_id == size.c.content_id))
        .where(windows.c.model_id == model_id, windows.c.position % step == 0)
    )
    for row in connection.execute(query, ids_parameter(content_ids)):
        yield row[0], row[1]


def last_window(connection: Connection, model_id: int) -> int:
    """Return the highest id of the model's windows, 0 where it has none."""
    highest = connection.execute(
        select(windows.c.id)
        .where(windows.c.model_id == model_id)
        .order_by(windows.c.id.desc())
        .limit(1)
    ).scalar()
    return highest or 0


def count_windows(connection: Connection, model_id: int) -> int:
    """Return how many windows the model has."""
    return connection.execute(
        select(func.count()).select_from(windows).where(windows.c.model_id == model_id)
    ).scalar_one()


def count_windows_after(connection: Connection, model_id: int, after: int, most: int) -> int:
    """Return how many windows of the model have an id above `after`, counted up to `most`."""
    rows = (
        select(windows.c.id)
        .where(windows.c.id > after, windows.c.model_id == model_id)
        .order_by(windows.c.id)
        .limit(most)
    )
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def count_dead_windows(connection: Connection, since: int, most: int) -> int:
    """Return how many windows were deleted after generation `since`, counted up to `most`."""
    rows = select(tombstones.c.window_id).where(tombstones.c.generation > since).limit(most)
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def dead_windows(connection: Connection, since: int) -> list[int]:
    """Return the ids of windows deleted after generation `since`: a cache written then must mask
    them.
    """
    query = select(tombstones.c.window_id).where(tombstones.c.generation > since)
    return [row[0] for row in connection.execute(query)]
