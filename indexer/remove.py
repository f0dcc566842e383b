"""Forgetting sounds. Files are never touched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from audiosearch import paths
from audiosearch.catalog import database, reading
from audiosearch.catalog.schema import roots, sounds
from audiosearch.errors import SoundNotFound
from indexer.cache import renew_cache
from indexer.lock import writer_lock
from indexer.outlines import drop_outlines
from indexer.roots import inside
from indexer.store import (
    delete_sounds,
    forget_empty_roots,
    hashes_of_sounds,
    next_generation,
    unused_hashes,
)
from indexer.summary import RemovalSummary


def remove(
    directory: Path, wanted: Iterable[str | int], *, dry_run: bool = False, wait: float | None = 0.0
) -> RemovalSummary:
    """Forget sounds by id, by path, or all at and below a folder; roots left without sounds go as
    well.

    Raises `SoundNotFound`, before anything is removed, where one of them is not in the library.
    """
    with writer_lock(directory, wait), database.translating(directory):
        engine = database.writer(directory)
        try:
            with engine.begin() as connection:
                chosen: dict[int, str] = {}
                for which in wanted:
                    found = _matches(connection, which)
                    if not found:
                        raise SoundNotFound(
                            f"{which} is not in the library {directory}: nothing was removed"
                        )
                    chosen.update(found)
                going = 0
                if not dry_run:
                    next_generation(connection)
                    hashes = hashes_of_sounds(connection, chosen)
                    going = delete_sounds(connection, chosen)
                    forget_empty_roots(connection)
                    drop_outlines(directory, unused_hashes(connection, hashes))
            if not dry_run:
                with engine.connect() as connection:
                    model = reading.active_model(connection)
                if model:
                    renew_cache(directory, engine, model)
        finally:
            engine.dispose()
    removed = tuple(sorted(chosen.values(), key=os.fsencode))
    return RemovalSummary(removed, going, dry_run)


def _matches(connection: Connection, which: str | int) -> dict[int, str]:
    """Return ids and paths of what is named: a sound, or everything below a folder."""
    query = select(sounds.c.id, sounds.c.path, roots.c.path.label("root")).join(roots)
    if isinstance(which, int):
        return _paths(connection, query.where(sounds.c.id == which))
    absolute = os.fsencode(os.path.abspath(paths.given(which)))  # noqa: PTH100 (links stay)
    matches: dict[int, str] = {}
    for root in connection.execute(select(roots.c.id, roots.c.path)).all():
        of_root = query.where(sounds.c.root_id == root.id)
        below = inside(absolute, root.path)
        if inside(root.path, absolute) is not None:
            matches |= _paths(connection, of_root)
        elif below is not None:  # "0" is what follows "/"
            path = paths.stored(below)
            matches |= _paths(connection, of_root.where(sounds.c.path == path))
            within = and_(sounds.c.path >= path + b"/", sounds.c.path < path + b"0")
            matches |= _paths(connection, of_root.where(within))
    return matches


def _paths(connection: Connection, query: Select[Any]) -> dict[int, str]:
    return {row.id: paths.usable(row.root, row.path) for row in connection.execute(query)}
