"""Forgetting sounds. Files are never touched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, select

from audiosearch import paths
from audiosearch.catalog import database, reading
from audiosearch.catalog.schema import roots, sounds
from audiosearch.errors import SoundNotFound
from indexer.cache import refresh_cache
from indexer.lock import writer_lock
from indexer.outlines import sweep_outlines
from indexer.store import delete_sounds, forget_empty_roots, next_generation
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
                    found = _find(connection, which)
                    if not found:
                        raise SoundNotFound(
                            f"{which} is not in the library {directory}: nothing was removed"
                        )
                    chosen.update(found)
                going = 0
                if not dry_run:
                    next_generation(connection)
                    going = delete_sounds(connection, chosen)
                    forget_empty_roots(connection)
                    sweep_outlines(directory, connection)
            if not dry_run:
                with engine.connect() as connection:
                    model = reading.active_model(connection)
                if model:
                    refresh_cache(directory, engine, model)
        finally:
            engine.dispose()
    removed = tuple(sorted(chosen.values(), key=os.fsencode))
    return RemovalSummary(removed, going, dry_run)


def _find(connection: Connection, which: str | int) -> dict[int, str]:
    """Ids and paths of what is meant: a sound, or everything below a folder."""
    query = select(sounds.c.id, sounds.c.path, roots.c.path.label("root")).join(roots)
    if isinstance(which, int):
        query = query.where(sounds.c.id == which)
        return {row.id: paths.usable(row.root, row.path) for row in connection.execute(query)}
    absolute = os.fsencode(os.path.abspath(paths.given(which)))  # noqa: PTH100 (links stay)
    found: dict[int, str] = {}
    for row in connection.execute(query):
        path = os.path.join(row.root, row.path)  # noqa: PTH118 (bytes)
        if path == absolute or path.startswith(absolute.rstrip(b"/") + b"/"):
            found[row.id] = paths.usable(row.root, row.path)
    return found
