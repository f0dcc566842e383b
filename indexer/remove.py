"""The removal of sounds from a library. It never touches files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, select

from audiosearch import paths
from audiosearch.catalog import reading
from audiosearch.catalog.schema import at_path, roots, sounds
from audiosearch.catalog.store import Store
from audiosearch.errors import SoundNotFound
from indexer.cache import renew_cache
from indexer.deletion import delete_sounds, forget_empty_roots, hashes_of_sounds, unused_hashes
from indexer.lock import writing
from indexer.meta import next_generation
from indexer.outlines import drop_outlines
from indexer.roots import inside
from indexer.summary import RemovalSummary


def remove(
    store: Store,
    targets: Iterable[str | int],
    *,
    dry_run: bool = False,
    wait: float | None = 0.0,
) -> RemovalSummary:
    """Forget sounds by id, by path, or all sounds below a folder, and roots that then hold no
    sounds.

    Raises `SoundNotFound` where the library does not hold one of them; then it removes nothing.
    """
    with writing(store, wait) as engine:
        with engine.begin() as connection:
            path_of: dict[int, str] = {}
            named_roots: list[int] = []
            for target in targets:
                matches, within = _matches(connection, target), _roots_at(connection, target)
                named_roots += within
                if not matches and not within:
                    raise SoundNotFound(
                        f"{target} is not in the library {store.name}: nothing was removed"
                    )
                path_of.update(matches)
            going = 0
            if not dry_run:
                next_generation(connection)
                hashes = hashes_of_sounds(connection, path_of)
                going = delete_sounds(connection, path_of)
                connection.execute(delete(roots).where(roots.c.id.in_(named_roots)))
                forget_empty_roots(connection)
                drop_outlines(store.directory, unused_hashes(connection, hashes))
        if not dry_run:
            with engine.connect() as connection:
                model = reading.active_model(connection)
            if model:
                renew_cache(store.directory, engine, model)
    removed = tuple(sorted(path_of.values(), key=os.fsencode))
    return RemovalSummary(removed, going, dry_run)


def _roots_at(connection: Connection, which: str | int) -> list[int]:
    """Return the ids of the roots at or below a folder."""
    if isinstance(which, int):
        return []
    absolute = os.fsencode(os.path.abspath(paths.user_path(which)))  # noqa: PTH100 (links stay)
    rows = connection.execute(select(roots.c.id, roots.c.path)).all()
    return [root.id for root in rows if inside(root.path, absolute) is not None]


def _matches(connection: Connection, which: str | int) -> dict[int, str]:
    """Return ids and paths of a sound, or of all sounds below a folder."""
    query = select(sounds.c.id, sounds.c.path, roots.c.path.label("root")).join(roots)
    if isinstance(which, int):
        return _paths(connection, query.where(sounds.c.id == which))
    absolute = os.fsencode(os.path.abspath(paths.user_path(which)))  # noqa: PTH100 (links stay)
    matches: dict[int, str] = {}
    for root in connection.execute(select(roots.c.id, roots.c.path)).all():
        of_root = query.where(sounds.c.root_id == root.id)
        below = inside(absolute, root.path)
        if inside(root.path, absolute) is not None:
            matches |= _paths(connection, of_root)
        elif below is not None:  # "0" is what follows "/"
            path = paths.stored(below)
            matches |= _paths(connection, of_root.where(at_path(path)))
            within = and_(sounds.c.path >= path + b"/", sounds.c.path < path + b"0")
            matches |= _paths(connection, of_root.where(within))
    return matches


def _paths(connection: Connection, query: Select[Any]) -> dict[int, str]:
    return {row.id: paths.usable(row.root, row.path) for row in connection.execute(query)}
